# %% Two convolutions and two linear layers, batch 64.
import time
import torch
from torch import nn
from torch.nn import functional as F

cnn = nn.Sequential(
    nn.Conv2d(1, 16, 3, padding=1),
    nn.ReLU(),
    nn.MaxPool2d(2),
    nn.Conv2d(16, 32, 3, padding=1),
    nn.ReLU(),
    nn.MaxPool2d(2),
    nn.Flatten(),
    nn.Linear(32 * 7 * 7, 64),
    nn.ReLU(),
    nn.Linear(64, 10),
)
optimizer = torch.optim.Adam(cnn.parameters(), lr=1e-3)
xs = torch.rand(20, 64, 1, 28, 28)
ys = torch.randint(10, (20, 64))

# %%
steps = 60
begin = time.perf_counter()
for step in range(steps):
    loss = F.cross_entropy(cnn(xs[step % 20]), ys[step % 20])
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
print(steps / (time.perf_counter() - begin))
