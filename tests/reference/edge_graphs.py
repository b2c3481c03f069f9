"""Graph layers over a list of edges, by their formulas, node by node, as PyTorch Geometric defines them."""

import torch
from torch.nn import functional as F

from encode import tensor, write

torch.manual_seed(33)

# An edge there and back, one that is there twice, a loop at node 2, and a node, 5, without edges.
sources, targets = [0, 1, 1, 3, 3, 2, 4], [1, 0, 2, 2, 2, 2, 3]
edges = list(zip(sources, targets))
nodes = torch.randn(6, 3)
edge_weights = torch.rand(len(edges)) + 0.5


def looped(weights):
    """The edges without loops, then one for each node, with the weight of the loop that was there."""
    own = {source: weight for (source, target), weight in zip(edges, weights) if source == target}
    others = [(source, target, weight) for (source, target), weight in zip(edges, weights) if source != target]
    return others + [(node, node, own.get(node, torch.tensor(1.0))) for node in range(6)]


def case(shapes, function, **more):
    own = {name: torch.randn(shape).requires_grad_() for name, shape in shapes.items()}
    x = nodes.clone().requires_grad_()
    output = function(x, own)
    output.pow(3).sum().backward()
    return {
        "parameters": {name: tensor(value) for name, value in own.items()},
        "output": tensor(output),
        "gradient": tensor(x.grad),
        "gradients": {name: tensor(value.grad) for name, value in own.items()},
        **{name: tensor(value(own)) for name, value in more.items()},
    }


def total(rows, width):
    return torch.stack(rows).sum(0) if rows else torch.zeros(width)


def gcn(triples, normalize):
    def function(x, own):
        hidden = x @ own["lin.weight"].T
        degrees = [sum(weight for _, target, weight in triples if target == node) for node in range(6)]

        def share(source, target, weight):
            if not normalize:
                return weight
            product = degrees[source] * degrees[target]
            return weight / product**0.5 if product else torch.tensor(0.0)

        rows = [
            total([share(j, i, weight) * hidden[j] for j, i, weight in triples if i == node], 4) for node in range(6)
        ]
        return torch.stack(rows) + own["bias"]

    return case({"lin.weight": (4, 3), "bias": (4,)}, function)


def sage(x, own):
    rows = []
    for node in range(6):
        coming = [x[j] for j, i in edges if i == node]
        mean = total(coming, 3) / max(len(coming), 1)
        rows.append(own["lin_l.weight"] @ mean + own["lin_l.bias"])
        if "lin_r.weight" in own:
            rows[-1] = rows[-1] + own["lin_r.weight"] @ x[node]
    return torch.stack(rows)


def gat(pairs, slope, concat):
    def attend(x, own):
        hidden = (x @ own["lin.weight"].T).view(6, 2, 2)
        shares = [[None, None] for _ in pairs]
        for head in range(2):
            source, target = own["att_src"][0, head], own["att_dst"][0, head]
            for node in range(6):
                coming = [at for at, (_, i) in enumerate(pairs) if i == node]
                if coming:
                    scores = [source @ hidden[pairs[at][0], head] + target @ hidden[node, head] for at in coming]
                    for at, share in zip(coming, F.softmax(F.leaky_relu(torch.stack(scores), slope), 0)):
                        shares[at][head] = share
        return hidden, torch.stack([torch.stack(share) for share in shares])

    def function(x, own):
        hidden, shares = attend(x, own)
        rows = [
            total([shares[at][:, None] * hidden[j] for at, (j, i) in enumerate(pairs) if i == node], (2, 2))
            for node in range(6)
        ]
        heads = torch.stack(rows)
        return (heads.flatten(1) if concat else heads.mean(1)) + own["bias"]

    shapes = {"lin.weight": (4, 3), "att_src": (1, 2, 2), "att_dst": (1, 2, 2), "bias": (4 if concat else 2,)}
    more = {"weights": lambda own: attend(nodes, own)[1], "edges": lambda _: torch.tensor(pairs).T}
    return case(shapes, function, **more)


def gin(x, own):
    rows = [(1 + own["eps"]) * x[node] + total([x[j] for j, i in edges if i == node], 3) for node in range(6)]
    return F.relu(F.linear(torch.stack(rows), own["nn.0.weight"], own["nn.0.bias"]))


given = [(source, target, weight) for (source, target), weight in zip(edges, edge_weights)]
loops = [(source, target) for source, target, _ in looped(edge_weights)]
write(
    "edge_graphs",
    {
        "input": tensor(nodes),
        "edges": tensor(torch.tensor([sources, targets])),
        "weights": tensor(edge_weights),
        "gcn": gcn(looped(torch.ones(len(edges))), True),
        "gcn_weighted": gcn(looped(edge_weights), True),
        "gcn_bare": gcn(given, True),
        "gcn_sums": gcn(given, False),
        "sage": case({"lin_l.weight": (4, 3), "lin_l.bias": (4,), "lin_r.weight": (4, 3)}, sage),
        "sage_unit": case(
            {"lin_l.weight": (4, 3), "lin_l.bias": (4,)}, lambda x, own: F.normalize(sage(x, own), dim=-1)
        ),
        "gat": gat(loops, 0.2, True),
        "gat_mean": gat(edges, 0.1, False),
        "gin": case({"eps": (1,), "nn.0.weight": (4, 3), "nn.0.bias": (4,)}, gin),
    },
)
