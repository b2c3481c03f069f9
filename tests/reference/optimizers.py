"""Parameters after steps of each optimizer with each of its options, computed with PyTorch 2.13."""

import copy

import torch
from torch import nn, optim

from encode import parameters, tensor, write

torch.manual_seed(0)

original = nn.Sequential(nn.Linear(5, 7), nn.Tanh(), nn.Linear(7, 3))
inputs, target = torch.randn(6, 5), torch.tensor([0, 1, 2, 1, 0, 2])
STEPS = 10


def loss(net):
    return nn.functional.cross_entropy(net(inputs), target)


class Lion(optim.Optimizer):
    """Program 2 of X. Chen et al., Symbolic discovery of optimization algorithms, 2023."""

    def __init__(self, params, lr, betas=(0.9, 0.99), weight_decay=0.0):
        super().__init__(params, {"lr": lr, "betas": betas, "weight_decay": weight_decay})

    @torch.no_grad()
    def step(self):
        for group in self.param_groups:
            beta1, beta2 = group["betas"]
            for p in group["params"]:
                momentum = self.state[p].setdefault("exp_avg", torch.zeros_like(p))
                update = torch.sign(beta1 * momentum + (1 - beta1) * p.grad)
                p.sub_(group["lr"] * (update + group["weight_decay"] * p))
                momentum.copy_(beta2 * momentum + (1 - beta2) * p.grad)


def after(make, steps=STEPS, net=original):
    net = copy.deepcopy(net)
    optimizer = make(net.parameters())
    for _ in range(steps):
        optimizer.zero_grad()
        loss(net).backward()
        optimizer.step()
    return parameters(net)


def closed(**options):
    """The parameters after steps of L-BFGS, and the losses before each."""
    net = copy.deepcopy(original).double()
    optimizer = optim.LBFGS(net.parameters(), **options)
    x = inputs.double()

    def closure():
        optimizer.zero_grad()
        value = nn.functional.cross_entropy(net(x), target) + 0.01 * sum(p.square().sum() for p in net.parameters())
        value.backward()
        return value

    losses = [optimizer.step(closure).item() for _ in range(4)]
    evaluations = optimizer.state[next(net.parameters())]["func_evals"]
    return {"parameters": parameters(net), "losses": losses, "evaluations": evaluations}


def rosenbrock(**options):
    xy = nn.Parameter(torch.tensor([-1.5, 2.0], dtype=torch.float64))
    optimizer = optim.LBFGS([xy], **options)

    def closure():
        optimizer.zero_grad()
        value = (1 - xy[0]) ** 2 + 100 * (xy[1] - xy[0] ** 2) ** 2
        value.backward()
        return value

    path = []
    for _ in range(3):
        optimizer.step(closure)
        path.append(xy.detach().clone())
    return {"path": tensor(torch.stack(path)), "evaluations": optimizer.state[xy]["func_evals"]}


def grouped():
    net = copy.deepcopy(original)
    groups = [
        {"params": [p for name, p in net.named_parameters() if name.endswith("weight")]},
        {"params": [p for name, p in net.named_parameters() if name.endswith("bias")],
         "lr": 0.03, "weight_decay": 0.0, "betas": (0.7, 0.9)},
    ]
    optimizer = optim.AdamW(groups, lr=0.01, weight_decay=0.1)
    # The rate of the second group follows a schedule of its own.
    scheduler = optim.lr_scheduler.LambdaLR(optimizer, [lambda _: 1, lambda step: 0.8**step])
    for _ in range(STEPS):
        optimizer.zero_grad()
        loss(net).backward()
        optimizer.step()
        scheduler.step()
    return parameters(net)


def partial():
    """Only the last layer has gradients in the first steps; the others then begin their state."""
    net = copy.deepcopy(original)
    optimizer = optim.Adam(net.parameters(), lr=0.02, weight_decay=0.1)
    for step in range(STEPS):
        optimizer.zero_grad()
        hidden = net[1](net[0](inputs))
        nn.functional.cross_entropy(net[2](hidden.detach() if step < 4 else hidden), target).backward()
        optimizer.step()
    return parameters(net)


def complex_numbers():
    z = nn.Parameter(torch.tensor([1 + 2j, -0.5 + 0.3j]))
    optimizer = optim.Adam([z], lr=0.1)
    for _ in range(STEPS):
        optimizer.zero_grad()
        (z - (0.2 - 1j)).abs().square().sum().backward()
        optimizer.step()
    return tensor(torch.view_as_real(z.detach()))


def sparse(make):
    embedding = nn.Embedding(5, 3, sparse=True)
    begin = tensor(embedding.weight)
    optimizer = make(embedding.parameters())
    for step in range(4):
        optimizer.zero_grad()
        embedding(torch.tensor([0, 3, 3, step])).square().sum().backward()
        optimizer.step()
    return {"begin": begin, "end": tensor(embedding.weight)}


makes = {
    "Adam": lambda p: optim.Adam(p, lr=0.02, fused=True),
    "Adam_wd": lambda p: optim.Adam(p, lr=0.02, weight_decay=0.1, betas=(0.8, 0.95), eps=1e-3),
    "Adam_amsgrad": lambda p: optim.Adam(p, lr=0.1, amsgrad=True, betas=(0.5, 0.6)),
    "Adam_maximize": lambda p: optim.Adam(p, lr=0.02, maximize=True),
    "AdamW": lambda p: optim.AdamW(p, lr=0.02, fused=True),
    "AdamW_wd": lambda p: optim.AdamW(p, lr=0.02, weight_decay=0.5, betas=(0.8, 0.95), eps=1e-3),
    "AdamW_amsgrad": lambda p: optim.AdamW(p, lr=0.1, amsgrad=True, betas=(0.5, 0.6)),
    "SGD": lambda p: optim.SGD(p, lr=0.2),
    "SGD_wd": lambda p: optim.SGD(p, lr=0.2, weight_decay=0.1),
    "SGD_momentum": lambda p: optim.SGD(p, lr=0.2, momentum=0.9, dampening=0.3, weight_decay=0.05),
    "SGD_nesterov": lambda p: optim.SGD(p, lr=0.2, momentum=0.9, nesterov=True),
    "SGD_maximize": lambda p: optim.SGD(p, lr=0.2, momentum=0.9, weight_decay=0.05, maximize=True),
    "RMSprop": lambda p: optim.RMSprop(p, lr=0.01),
    "RMSprop_wd": lambda p: optim.RMSprop(p, lr=0.01, alpha=0.9, eps=1e-3, weight_decay=0.1),
    "RMSprop_momentum": lambda p: optim.RMSprop(p, lr=0.01, momentum=0.8),
    "RMSprop_centered": lambda p: optim.RMSprop(p, lr=0.01, momentum=0.8, centered=True, weight_decay=0.1),
    "Adagrad": lambda p: optim.Adagrad(p, lr=0.1),
    "Adagrad_all": lambda p: optim.Adagrad(
        p, lr=0.1, lr_decay=0.2, weight_decay=0.1, initial_accumulator_value=0.3, eps=1e-3, maximize=True),
    "Adadelta": lambda p: optim.Adadelta(p, lr=1.0),
    "Adadelta_all": lambda p: optim.Adadelta(p, lr=0.5, rho=0.7, eps=1e-4, weight_decay=0.1, maximize=True),
    "NAdam": lambda p: optim.NAdam(p, lr=0.02),
    "NAdam_wd": lambda p: optim.NAdam(p, lr=0.02, weight_decay=0.1, betas=(0.8, 0.95), eps=1e-3, momentum_decay=0.1),
    "NAdam_decoupled": lambda p: optim.NAdam(p, lr=0.02, weight_decay=0.5, decoupled_weight_decay=True, maximize=True),
    "RAdam": lambda p: optim.RAdam(p, lr=0.02),
    "RAdam_wd": lambda p: optim.RAdam(p, lr=0.02, weight_decay=0.1, betas=(0.8, 0.95), eps=1e-3),
    "RAdam_decoupled": lambda p: optim.RAdam(p, lr=0.02, weight_decay=0.5, decoupled_weight_decay=True, maximize=True),
    "Lion": lambda p: Lion(p, lr=0.01),
    "Lion_wd": lambda p: Lion(p, lr=0.01, betas=(0.8, 0.9), weight_decay=0.5),
}

write(
    "optimizers",
    {
        "original": parameters(original),
        "input": tensor(inputs),
        "target": tensor(target),
        **{name: after(make) for name, make in makes.items()},
        "groups": grouped(),
        "partial": partial(),
        "complex": complex_numbers(),
        "sparse": {
            "SGD": sparse(lambda p: optim.SGD(p, lr=0.1, momentum=0.5)),
            "Adagrad": sparse(lambda p: optim.Adagrad(p, lr=0.1)),
        },
        "LBFGS": {
            "plain": closed(lr=0.5, max_iter=5),
            "short_history": closed(lr=0.3, max_iter=7, history_size=2),
            "strong_wolfe": closed(lr=1, max_iter=6, line_search_fn="strong_wolfe"),
            "few_evaluations": closed(lr=1, max_iter=10, max_eval=4, line_search_fn="strong_wolfe"),
        },
        "rosenbrock": rosenbrock(lr=1, line_search_fn="strong_wolfe"),
    },
)
