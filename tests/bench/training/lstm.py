# %% An LSTM cell written out, 30 steps in time for each step of training, batch 32.
import time
import torch
from torch import nn
from torch.nn import functional as F


class Cell(nn.Module):
    def __init__(self, inputs, size):
        super().__init__()
        self.input = nn.Linear(inputs, 4 * size)
        self.hidden = nn.Linear(size, 4 * size)

    def forward(self, x, h, c):
        i, f, g, o = (self.input(x) + self.hidden(h)).chunk(4, 1)
        c = f.sigmoid() * c + i.sigmoid() * g.tanh()
        return o.sigmoid() * c.tanh(), c


cell = Cell(8, 32)
head = nn.Linear(32, 10)
optimizer = torch.optim.Adam([*cell.parameters(), *head.parameters()], lr=1e-3)
xs = torch.randn(20, 30, 32, 8)
ys = torch.randint(10, (20, 32))

# %%
steps = 100
begin = time.perf_counter()
for step in range(steps):
    sequence = xs[step % 20]
    h, c = torch.zeros(32, 32), torch.zeros(32, 32)
    for t in range(30):
        h, c = cell(sequence[t], h, c)
    loss = F.cross_entropy(head(h), ys[step % 20])
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
print(steps / (time.perf_counter() - begin))
