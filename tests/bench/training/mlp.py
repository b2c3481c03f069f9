# %% A small classifier on random data, batch 32: what each step costs besides the arithmetic decides.
import time
import torch
from torch import nn
from torch.nn import functional as F

mlp = nn.Sequential(nn.Linear(64, 128), nn.ReLU(), nn.Linear(128, 64), nn.ReLU(), nn.Linear(64, 10))
optimizer = torch.optim.Adam(mlp.parameters(), lr=1e-3)
xs = torch.randn(100, 32, 64)
ys = torch.randint(10, (100, 32))

# %%
steps = 2000
begin = time.perf_counter()
for step in range(steps):
    loss = F.cross_entropy(mlp(xs[step % 100]), ys[step % 100])
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
print(steps / (time.perf_counter() - begin))
