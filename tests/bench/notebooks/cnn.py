# notebooks/cnn.ipynb as one would write it in Python: the same data, network, training and pictures.
# Cells begin with `# %%`. It runs in the folder of the benchmark, tests/bench.

# %%
import gzip

import matplotlib.pyplot as plt
import numpy as np
import torch
import torch.nn.functional as F
from torch import nn
from torch.utils.data import DataLoader, TensorDataset
from tqdm.auto import tqdm


def show(images, captions=None, columns=10):
    rows = -(-len(images) // columns)
    figure, axes = plt.subplots(rows, columns, figsize=(columns, 1.3 * rows), squeeze=False)
    for axis in axes.flat:
        axis.axis("off")
    for i, image in enumerate(images):
        axes.flat[i].imshow(image.squeeze(), cmap="gray")
        if captions is not None:
            axes.flat[i].set_title(captions[i], fontsize=8)
    plt.show()


with gzip.open("../../runtime/data/mnist_10k.gz") as file:
    data = np.frombuffer(file.read(), dtype=np.uint8)
labels = torch.from_numpy(data[:10_000].astype(np.int64))
images = torch.from_numpy(data[10_000:].astype(np.float32)).view(-1, 1, 28, 28) / 255
order = torch.randperm(10_000, generator=torch.Generator().manual_seed(42))
test, train = order[:2000], order[2000:]
print(f"{len(train)} digits to learn from, {len(test)} held back")
show(images[train[:40]], labels[train[:40]].tolist())

# %%
print(labels[train].bincount(minlength=10))

# %%
torch.manual_seed(1)
device = "cuda" if torch.cuda.is_available() else "cpu"
net = nn.Sequential(
    nn.Conv2d(1, 16, 3, padding=1),
    nn.ReLU(),
    nn.MaxPool2d(2),
    nn.Conv2d(16, 32, 3, padding=1),
    nn.ReLU(),
    nn.MaxPool2d(2),
    nn.Flatten(),
    nn.Linear(32 * 7 * 7, 128),
    nn.ReLU(),
    nn.Dropout(0.25),
    nn.Linear(128, 10),
).to(device)
parameters = sum(weights.numel() for weights in net.parameters())
print(f"{parameters} parameters on {device}")


# %%
@torch.no_grad()
def evaluate(net, images, labels):
    net.eval()
    scores = net(images)
    net.train()
    return F.cross_entropy(scores, labels).item(), (scores.argmax(1) == labels).float().mean().item()


# %%
epochs = 12
test_images, test_labels = images[test].to(device), labels[test].to(device)
loader = DataLoader(TensorDataset(images[train], labels[train]), batch_size=64, shuffle=True)
optimizer = torch.optim.Adam(net.parameters(), lr=1e-3)
schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, 3e-3, epochs * len(loader), cycle_momentum=False)
losses, test_losses, accuracies = [], [], []
for epoch in range(1, epochs + 1):
    for x, y in tqdm(loader, desc=f"epoch {epoch}"):
        x, y = x.to(device), y.to(device)
        shift = torch.randint(-2, 3, (2,)).tolist()
        loss = F.cross_entropy(net(x.roll(shift, (2, 3))), y)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        schedule.step()
        losses.append(loss.item())
    loss, accuracy = evaluate(net, test_images, test_labels)
    test_losses.append(loss)
    accuracies.append(accuracy)
    print(f"epoch {epoch}: test loss {loss:.4f}, accuracy {100 * accuracy:.2f} %")

# %%
means = np.array(losses).reshape(epochs, -1).mean(1)
plt.semilogy(losses, label="loss")
plt.title("Each step")
plt.legend()
plt.show()
plt.semilogy(means, label="training")
plt.semilogy(test_losses, label="test")
plt.title("Each epoch")
plt.legend()
plt.show()

# %%
net.eval()
with torch.no_grad():
    confidence, answers = net(test_images).softmax(1).max(1)
confusion = (test_labels * 10 + answers).bincount(minlength=100).view(10, 10)
print(f"accuracy on the held-back digits: {evaluate(net, test_images, test_labels)[1]:.4f}")
print(confusion)

# %%
counts, pairs = (confusion + confusion.T).triu(1).flatten().topk(5)
for count, pair in zip(counts.tolist(), pairs.tolist()):
    print(f"{pair // 10} and {pair % 10}: {count} times")

# %%
wrong = (answers != test_labels).nonzero().flatten()
worst = wrong[confidence[wrong].argsort(descending=True)][:16]
captions = [f"{answers[i]} {confidence[i]:.2f}, is {test_labels[i]}" for i in worst]
show(test_images[worst].cpu(), captions, columns=8)

# %%
filters = net[0].weight.detach().cpu()
low, high = filters.amin((1, 2, 3), True), filters.amax((1, 2, 3), True)
show((filters - low) / (high - low), columns=8)
