"""Assignment 6 of the course in plain PyTorch: the GPT of part 3, and the mixture of part 5 with counts.

Run by hand, with PyTorch installed:

    python tests/course/06.py

It prints the loss on held-out names for three seeds, of the GPT alone and mixed with counts, and the time. The names are
divided as in the notebook.
"""

import gzip
import math
import time
from collections import Counter, defaultdict
from pathlib import Path

import torch
from torch import nn
from torch.nn import functional as F

torch.set_num_threads(1)
NAMES = Path(__file__).parents[2] / "runtime/data/names.txt.gz"
LETTERS = 27


def divided(number):
    names = gzip.open(NAMES, "rt", encoding="utf-8").read().lower().split()
    torch.manual_seed(number)
    mixed = [[ord(letter) - 96 for letter in names[place]] for place in torch.randperm(len(names)).tolist()]
    return mixed[: len(names) - len(names) // 10], mixed[len(names) - len(names) // 10 :]


class Block(nn.Module):
    def __init__(self, width, heads):
        super().__init__()
        self.heads = heads
        self.norm_1 = nn.LayerNorm(width)
        self.qkv = nn.Linear(width, 3 * width)
        self.out = nn.Linear(width, width)
        self.norm_2 = nn.LayerNorm(width)
        self.wide = nn.Linear(width, 4 * width)
        self.narrow = nn.Linear(4 * width, width)

    def forward(self, x):
        b, t, c = x.shape
        q, k, v = (
            part.view(b, t, self.heads, c // self.heads).transpose(1, 2)
            for part in self.qkv(self.norm_1(x)).split(c, 2)
        )
        fetched = F.scaled_dot_product_attention(q, k, v, is_causal=True)
        x = x + self.out(fetched.transpose(1, 2).reshape(b, t, c))
        return x + self.narrow(F.gelu(self.wide(self.norm_2(x))))


class Gpt(nn.Module):
    def __init__(self, vocabulary, longest, width, heads, blocks):
        super().__init__()
        self.tokens = nn.Embedding(vocabulary, width)
        self.places = nn.Embedding(longest, width)
        self.blocks = nn.Sequential(*[Block(width, heads) for _ in range(blocks)])
        self.norm = nn.LayerNorm(width)
        self.logits = nn.Linear(width, vocabulary)

    def forward(self, tokens):
        x = self.tokens(tokens) + self.places(torch.arange(tokens.shape[1]))
        return self.logits(self.norm(self.blocks(x)))


def batch(texts):
    longest = max(map(len, texts)) + 1
    inputs = torch.zeros(len(texts), longest, dtype=torch.long)
    targets = torch.full((len(texts), longest), -100)
    for row, text in enumerate(texts):
        inputs[row, 1 : len(text) + 1] = torch.tensor(text)
        targets[row, : len(text) + 1] = torch.tensor([*text, 0])
    return inputs, targets


def loss_of(model, texts):
    inputs, targets = batch(texts)
    return F.cross_entropy(model(inputs).flatten(0, 1), targets.flatten(), ignore_index=-100)


def train(model, texts, steps, size, rate):
    optimizer = torch.optim.AdamW(model.parameters(), lr=rate, weight_decay=0.1)
    texts = sorted(texts, key=len)
    batches = [texts[start : start + size] for start in range(0, len(texts), size)]
    order = []
    for step in range(steps):
        order = order or torch.randperm(len(batches)).tolist()
        done = step / steps
        for group in optimizer.param_groups:
            group["lr"] = rate * min(10 * done + 0.01, 1) * 0.5 * (1 + math.cos(math.pi * done))
        loss = loss_of(model, batches[order.pop()])
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()


def count(n, texts):
    seen = defaultdict(Counter)
    for text in texts:
        text = [0, *text, 0]
        for place in range(1, len(text)):
            for length in range(min(place, n - 1) + 1):
                seen[tuple(text[place - length : place])][text[place]] += 1
    return seen


def backed_off(seen, n, context, strength):
    p = torch.full((LETTERS,), 1 / LETTERS, dtype=torch.double)
    for length in range(min(len(context), n - 1) + 1):
        followers = seen.get(tuple(context[len(context) - length :]), {})
        counts = torch.zeros(LETTERS, dtype=torch.double)
        for token, times in followers.items():
            counts[token] = times
        p = (counts + strength * p) / (counts.sum() + strength)
    return p


@torch.no_grad()
def losses(model, seen, held):
    inputs, targets = batch(held)
    known = targets >= 0
    of_gpt = model(inputs).double().softmax(-1)[known]
    contexts = [[0, *text][:place] for text in held for place in range(1, len(text) + 2)]
    of_counts = torch.stack([backed_off(seen, 6, context, 10) for context in contexts])
    loss = lambda p: -p.gather(1, targets[known].unsqueeze(1)).log().mean().item()
    return loss(of_gpt), loss(of_counts), loss(0.4 * of_gpt + 0.6 * of_counts)


if __name__ == "__main__":
    for division in (1, 61):
        texts, held = divided(division)
        seen = count(6, texts)
        for seed in (6, 7, 8):
            for steps in (600, 400):
                start = time.time()
                torch.manual_seed(seed)
                model = Gpt(LETTERS, 16, 48, 4, 2)
                train(model, texts, steps, 64, 1e-2)
                seconds = time.time() - start
                gpt, counts, mixed = losses(model, seen, held)
                print(
                    f"division {division}, seed {seed}, {steps} steps: GPT {gpt:.3f}, counts {counts:.3f}, "
                    f"mixed {mixed:.3f}, {seconds:.1f} s"
                )
