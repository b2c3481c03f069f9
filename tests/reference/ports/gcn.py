"""Semi-supervised node classification with PyTorch Geometric, after its example `gcn.py`: one known node of each class.

The cells of tests/cells/port_gcn.cells are the same program; they give the numbers that this prints."""

from pathlib import Path

import numpy
import torch
import torch.nn.functional as F
from torch_geometric.nn import GCNConv
from torch_geometric.utils import to_undirected

OFFICER = [9, 14, 15, 18, 20, *range(22, 34)]

edges = numpy.loadtxt(Path(__file__).parents[3] / "runtime/data/karate_club.csv", delimiter=",", dtype=int)
edge_index = to_undirected(torch.from_numpy(edges.T))
x = torch.eye(34)
y = torch.zeros(34, dtype=torch.long)
y[OFFICER] = 1
train_mask = torch.zeros(34, dtype=torch.bool)
train_mask[[0, 33]] = True


class GCN(torch.nn.Module):
    def __init__(self, in_channels, hidden_channels, out_channels):
        super().__init__()
        self.conv1 = GCNConv(in_channels, hidden_channels)
        self.conv2 = GCNConv(hidden_channels, out_channels)

    def forward(self, x, edge_index):
        x = F.dropout(x, p=0.5, training=self.training)
        x = self.conv1(x, edge_index).relu()
        x = F.dropout(x, p=0.5, training=self.training)
        x = self.conv2(x, edge_index)
        return x


model = GCN(34, 16, 2)
# PyTorch Geometric draws the weights twice; this draws them as layers that do it once.
torch.manual_seed(0)
for conv in (model.conv1, model.conv2):
    torch.nn.init.xavier_uniform_(conv.lin.weight)
optimizer = torch.optim.Adam(
    [
        dict(params=model.conv1.parameters(), weight_decay=5e-4),
        dict(params=model.conv2.parameters(), weight_decay=0),
    ],
    lr=0.01,
)


def train():
    model.train()
    optimizer.zero_grad()
    out = model(x, edge_index)
    loss = F.cross_entropy(out[train_mask], y[train_mask])
    loss.backward()
    optimizer.step()
    return float(loss.detach())


@torch.no_grad()
def test():
    model.eval()
    pred = model(x, edge_index).argmax(dim=-1)
    accs = []
    for mask in [train_mask, ~train_mask]:
        accs.append(int((pred[mask] == y[mask]).sum()) / int(mask.sum()))
    return accs


for epoch in range(1, 201):
    loss = train()
    train_acc, test_acc = test()
    if epoch in (1, 2, 50, 200):
        print(f"epoch {epoch}: loss {loss:.4f}, train {train_acc:.3f}, test {test_acc:.3f}")
