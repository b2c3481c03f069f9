"""Assignment 7 in PyTorch: the small Llama's losses that the tests expect, and LoRA from whales to names.

    python tests/course/07.py [SEED ...]        # needs torch and numpy; not a part of the tests

The forward pass is written anew, on `scaled_dot_product_attention` and complex numbers for the rotary positions, so that
a mistake of the notebook would show. The names are shuffled as in the notebook.
"""

import gzip
import json
import math
import re
import struct
import sys
import time
from pathlib import Path

import numpy as np
import torch
from torch.nn import functional as F

REPOSITORY = Path(__file__).parents[2]
DATA = REPOSITORY / "notebooks/course/07-large-models/data"
LAYERS, HEADS, KV_HEADS, HEAD = 4, 4, 2, 32
MATRICES = ["ffn_gate", "ffn_up", "ffn_down"]


def read(name):
    return gzip.open(REPOSITORY / f"runtime/data/{name}.txt.gz", "rt", encoding="utf-8").read()


def weights():
    raw = (DATA / "moby.safetensors").read_bytes()
    (length,) = struct.unpack("<Q", raw[:8])
    found = {}
    for name, entry in json.loads(raw[8 : 8 + length]).items():
        if name != "__metadata__":
            start, end = (8 + length + at for at in entry["data_offsets"])
            numbers = np.frombuffer(raw[start:end], np.float16).astype(np.float32)
            found[name] = torch.tensor(numbers).view(entry["shape"])
    return found


class Tokenizer:
    """Byte-level BPE with the splitting of GPT-2."""

    pieces = re.compile(r"'s|'t|'re|'ve|'m|'ll|'d| ?[^\W\d_]+| ?\d+| ?(?:[^\s\w]|_)+|\s+(?!\S)|\s+")

    def __init__(self):
        model = json.loads((DATA / "tokenizer.json").read_text())["model"]
        self.ids = model["vocab"]
        merges = [m.split(" ") if isinstance(m, str) else m for m in model["merges"]]
        self.ranks = {tuple(pair): rank for rank, pair in enumerate(merges)}
        shown = [*range(33, 127), *range(161, 173), *range(174, 256)]
        self.bytes = {b: chr(b) for b in shown}
        hidden = [b for b in range(256) if b not in self.bytes]
        self.bytes.update({b: chr(256 + n) for n, b in enumerate(hidden)})
        self.known = {}

    def word(self, text):
        if text not in self.known:
            parts = [self.bytes[b] for b in text.encode()]
            while len(parts) > 1:
                ranks = [self.ranks.get(pair, math.inf) for pair in zip(parts, parts[1:])]
                at = min(range(len(ranks)), key=ranks.__getitem__)
                if ranks[at] == math.inf:
                    break
                parts[at : at + 2] = [parts[at] + parts[at + 1]]
            self.known[text] = [self.ids[part] for part in parts]
        return self.known[text]

    def encode(self, text):
        return torch.tensor([token for piece in self.pieces.findall(text) for token in self.word(piece)])


def forward(w, tokens, loras=None):
    batch, length = tokens.shape

    def norm(x, name):
        return F.rms_norm(x, x.shape[-1:], w[name], 1e-5)

    def turn(x):
        rates = 1e4 ** (-2 * torch.arange(HEAD // 2, dtype=torch.float64) / HEAD)
        angles = torch.arange(length, dtype=torch.float64).unsqueeze(1) * rates
        turns = torch.polar(torch.ones_like(angles), angles).to(torch.complex64)
        return torch.view_as_real(torch.view_as_complex(x.reshape(*x.shape[:-1], -1, 2).contiguous()) * turns).flatten(-2)

    x = F.embedding(tokens, w["token_embd.weight"])
    for layer in range(LAYERS):

        def linear(x, name):
            y = x @ w[f"blk.{layer}.{name}.weight"].T
            if loras and (pair := loras.get(f"blk.{layer}.{name}")):
                a, b, scale = pair
                y = y + x @ a.T @ b.T * scale
            return y

        def heads(x, count):
            return x.view(batch, length, count, HEAD).transpose(1, 2)

        h = norm(x, f"blk.{layer}.attn_norm.weight")
        q, k = turn(heads(linear(h, "attn_q"), HEADS)), turn(heads(linear(h, "attn_k"), KV_HEADS))
        v = heads(linear(h, "attn_v"), KV_HEADS)
        y = F.scaled_dot_product_attention(q, k, v, is_causal=True, enable_gqa=True)
        x = x + linear(y.transpose(1, 2).reshape(batch, length, -1), "attn_output")
        h = norm(x, f"blk.{layer}.ffn_norm.weight")
        x = x + linear(F.silu(linear(h, "ffn_gate")) * linear(h, "ffn_up"), "ffn_down")
    return norm(x, "output_norm.weight") @ w["token_embd.weight"].T


def loss_of(w, windows, loras=None):
    return F.cross_entropy(forward(w, windows[:, :-1], loras).flatten(0, 1), windows[:, 1:].flatten())


def name_list(names):
    return "\n" + "".join(name + "\n" for name in names)


@torch.no_grad()
def nats_per_character(w, tokenizer, names, loras=None):
    text = name_list(names)
    tokens = tokenizer.encode(text)
    windows = tokens[: (len(tokens) - 1) // 64 * 64 + 1].unfold(0, 65, 64)
    return loss_of(w, windows, loras).item() * (len(tokens) - 1) / (len(text) - 1)


def adapt(w, tokens, steps=60, rank=2, rate=2e-2, batch=8):
    loras = {}
    for layer in range(LAYERS):
        for matrix in MATRICES:
            name = f"blk.{layer}.{matrix}"
            out, of = w[f"{name}.weight"].shape
            a = (torch.randn(rank, of) / of**0.5).requires_grad_()
            loras[name] = (a, torch.zeros(out, rank, requires_grad=True), 8.0 / rank)
    optimizer = torch.optim.Adam([x for a, b, _ in loras.values() for x in (a, b)])
    for step in range(steps):
        optimizer.param_groups[0]["lr"] = rate * (1 - step / steps)
        windows = tokens[torch.randint(len(tokens) - 64, (batch, 1)) + torch.arange(65)]
        optimizer.zero_grad()
        loss_of(w, windows, loras).backward()
        optimizer.step()
    return loras


def main():
    torch.set_num_threads(1)
    w, tokenizer = weights(), Tokenizer()
    book = read("moby_dick").encode()
    # As `floor_char_boundary` in Rust.
    unseen = tokenizer.encode(book[len(book) * 9 // 10 :].decode(errors="ignore"))
    with torch.no_grad():
        print(f"public: loss {loss_of(w, unseen[: 8 * 129].view(8, 129)).item():.4f}")
        windows = unseen[20_000 : 20_000 + 16 * 65].view(16, 65)
        print(f"hidden: perplexity {loss_of(w, windows).exp().item():.4f}")
    names = read("names").splitlines()
    torch.manual_seed(23)
    shuffled = [names[at] for at in torch.randperm(len(names))]
    turned = [name.lower()[::-1].capitalize() for name in shuffled]
    for seed in map(int, sys.argv[1:] or ["0"]):
        for kind, known, new in [
            ("names", shuffled[:7400], shuffled[7400:7800]),
            ("backwards", turned[1000:], turned[:400]),
        ]:
            torch.manual_seed(seed)
            begin = time.perf_counter()
            loras = adapt(w, tokenizer.encode(name_list(known)))
            before, after = (nats_per_character(w, tokenizer, new, with_) for with_ in (None, loras))
            took = time.perf_counter() - begin
            print(f"seed {seed}, {kind}: {before:.3f} nats for each character before, {after:.3f} after, {took:.1f} s")


if __name__ == "__main__":
    main()
