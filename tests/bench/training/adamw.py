# %% AdamW over 10 million parameters in 64 tensors.
import time
import torch

parameters = [torch.randn(400, 400, requires_grad=True) for _ in range(64)]
for parameter in parameters:
    parameter.grad = torch.randn(400, 400)
optimizer = torch.optim.AdamW(parameters, lr=1e-3, fused=True)

# %%
steps = 40
begin = time.perf_counter()
for _ in range(steps):
    optimizer.step()
print(steps / (time.perf_counter() - begin))
