# %% A small language model: two layers of 64 numbers and 4 heads, batch 16 of 32 tokens.
import time
import torch
from torch import nn
from torch.nn import functional as F

layer = nn.TransformerEncoderLayer(64, 4, 256, dropout=0.0, norm_first=True, batch_first=True)
embedding = nn.Embedding(100, 64)
encoder = nn.TransformerEncoder(layer, 2, nn.LayerNorm(64), enable_nested_tensor=False)
head = nn.Linear(64, 100)
optimizer = torch.optim.Adam([*embedding.parameters(), *encoder.parameters(), *head.parameters()], lr=1e-3)
tokens = torch.randint(100, (20, 16, 33))
causal = nn.Transformer.generate_square_subsequent_mask(32)

# %%
steps = 60
begin = time.perf_counter()
for step in range(steps):
    batch = tokens[step % 20]
    hidden = encoder(embedding(batch[:, :32]), mask=causal, is_causal=True)
    loss = F.cross_entropy(head(hidden).flatten(0, 1), batch[:, 1:].flatten())
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
print(steps / (time.perf_counter() - begin))
