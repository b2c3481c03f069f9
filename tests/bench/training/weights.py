# %% Weights of 1 GB in bfloat16.
import os
import time
from safetensors.torch import load_file

# %%
begin = time.perf_counter()
weights = load_file(os.environ["WEIGHTS"])
print(1 / (time.perf_counter() - begin))
