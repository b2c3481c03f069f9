# The quickstart notebook as one would write it in Python: the same data, network, training and pictures.
# Cells begin with `# %%`. The benchmark runs it in this folder, under ipykernel.

# %%
import gzip

import matplotlib.pyplot as plt
import numpy as np
import torch
import torch.nn.functional as F
from torch import nn

with gzip.open("../../runtime/data/digits.csv.gz") as file:
    table = np.loadtxt(file, delimiter=",", dtype=np.float32)
images = torch.from_numpy(table[:, :64]).view(-1, 1, 8, 8) / 16
labels = torch.from_numpy(table[:, 64]).long()
order = torch.randperm(len(labels), generator=torch.Generator().manual_seed(42))
test, train = order[:359], order[359:]
train_images, train_labels = images[train], labels[train]
test_images, test_labels = images[test], labels[test]
print(f"{len(train)} digits to learn from, {len(test)} held back")
train_images.size()


# %%
def show(images, captions, columns=10):
    rows = -(-len(images) // columns)
    figure, axes = plt.subplots(rows, columns, figsize=(columns, 1.3 * rows), squeeze=False)
    for axis in axes.flat:
        axis.axis("off")
    for axis, image, caption in zip(axes.flat, images, captions):
        axis.imshow(image[0], cmap="gray")
        axis.set_title(caption, fontsize=8)
    plt.show()


show(train_images[:30], train_labels[:30].tolist())


# %%
class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.strokes = nn.Conv2d(1, 16, 3, padding=1)
        self.shapes = nn.Conv2d(16, 32, 3, padding=1)
        self.scores = nn.Linear(32 * 2 * 2, 10)


# %%
def forward(self, images):
    """Images `[N, 1, 8, 8]` to scores `[N, 10]`."""
    x = F.max_pool2d(self.strokes(images).relu(), 2)
    x = F.max_pool2d(self.shapes(x).relu(), 2)
    return self.scores(x.flatten(1))


Net.forward = forward


def accuracy(net, images, labels):
    """The share of digits that the network reads correctly."""
    with torch.no_grad():
        return (net(images).argmax(1) == labels).float().mean().item()


# %%
torch.manual_seed(7)
net = Net()
print(sum(weights.numel() for weights in net.parameters()), "parameters on cpu")
print(f"accuracy before training: {accuracy(net, test_images, test_labels):.2f}")

# %%
opt = torch.optim.Adam(net.parameters(), 2e-3)
losses = []
for epoch in range(1, 21):
    for batch in torch.randperm(len(train_images)).split(64):
        loss = F.cross_entropy(net(train_images[batch]), train_labels[batch])
        opt.zero_grad()
        loss.backward()
        opt.step()
        losses.append(loss.item())
    if epoch % 4 == 0:
        print(f"epoch {epoch:2}: loss {losses[-1]:.4f}")

# %%
plt.semilogy(losses, label="loss")
plt.title("Training")
plt.xlabel("step")
plt.ylabel("cross entropy")
plt.legend()
plt.show()

# %%
print(f"accuracy on the held-back digits: {accuracy(net, test_images, test_labels):.4f}")

# %%
with torch.no_grad():
    answers = net(test_images).argmax(1)
wrong = (answers != test_labels).nonzero().flatten()
captions = [f"{answers[i]}, not {test_labels[i]}" for i in wrong]
show(test_images[wrong], captions)
