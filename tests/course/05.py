"""The network of assignment 5 in plain PyTorch: the same sizes, steps and tunes.

Run by hand, in an environment that has torch:

    python tests/course/05.py [SEED ...]

It trains once for each seed, on one thread, and prints the negative log likelihood for each character of the validation
tunes and of those that the assignment is graded on, and the seconds of processor time.
"""

import json
import random
import re
import sys
import time
from pathlib import Path

import torch
from torch import nn

FOLDER = Path(__file__).parents[2] / "notebooks/course/05-rnn"
ALPHABET = "\n '(,-/1234689:=>ABCDEFGKM[]^_abcdefgimorxz|"
EPOCHS, ROWS, COLUMNS, RATE = 6, 16, 32, 1e-2


def tunes_of(text):
    return [tune.strip() + "\n\n" for tune in text.split("\n\n")]


def held_out():
    """The tunes in the hidden test of the result."""
    cells = json.loads((FOLDER / "master.ipynb").read_text())["cells"]
    test = next(cell for cell in cells if cell["id"] == "test-result")
    return tunes_of(re.search(r'tunes_of\(\s*"([^"]*)"', "".join(test["source"])).group(1))


def encode(text):
    return torch.tensor([ALPHABET.index(character) for character in text])


class TuneNet(nn.Module):
    def __init__(self, hidden):
        super().__init__()
        self.characters = nn.Embedding(len(ALPHABET), 32)
        self.lstm = nn.LSTM(32, hidden, batch_first=True)
        self.scores = nn.Linear(hidden, len(ALPHABET))

    def forward(self, numbers, state=None):
        h, state = self.lstm(self.characters(numbers), state)
        return self.scores(h), state


@torch.no_grad()
def nll(net, tunes):
    inputs = nn.utils.rnn.pad_sequence([encode("\n" + tune[:-1]) for tune in tunes], batch_first=True)
    targets = nn.utils.rnn.pad_sequence([encode(tune) for tune in tunes], batch_first=True, padding_value=-100)
    return nn.functional.cross_entropy(net(inputs)[0].flatten(0, 1), targets.flatten()).item()


def train(tunes, seed):
    torch.manual_seed(seed)
    shuffled = random.Random(seed)
    net = TuneNet(96)
    optimizer = torch.optim.Adam(net.parameters(), RATE)
    order = list(tunes)
    for epoch in range(EPOCHS):
        shuffled.shuffle(order)
        text = encode("".join(order))
        columns = (len(text) - 1) // ROWS
        inputs, targets = (text[at : at + ROWS * columns].view(ROWS, columns).split(COLUMNS, 1) for at in (0, 1))
        pieces = list(zip(inputs, targets))
        quarter = -(-len(pieces) // 4)
        for at, (x, y) in enumerate(pieces):
            if at % quarter == 0:
                state = None
                optimizer.param_groups[0]["lr"] = RATE * (1 - (epoch + at // quarter / 4) / EPOCHS)
            logits, state = net(x, state)
            state = tuple(part.detach() for part in state)
            loss = nn.functional.cross_entropy(logits.flatten(0, 1), y.flatten())
            optimizer.zero_grad()
            loss.backward()
            nn.utils.clip_grad_norm_(net.parameters(), 1.0)
            optimizer.step()
    return net


if __name__ == "__main__":
    torch.set_num_threads(1)
    every = tunes_of((FOLDER / "data/tunes.abc").read_text())
    for seed in map(int, sys.argv[1:] or [1]):
        start = time.process_time()
        net = train(every[:662], seed)
        seconds = time.process_time() - start
        print(f"seed {seed}: validation {nll(net, every[662:]):.3f}, graded {nll(net, held_out()):.3f}, {seconds:.1f} s")
