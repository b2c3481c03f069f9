"""Distributions, computed with PyTorch 2.13: values, gradients, and what is drawn after a seed."""

import torch
from torch import distributions as D
from torch.nn import functional as F

from encode import tensor, write

torch.manual_seed(3)


def positive(*shape):
    return torch.rand(shape) * 2 + 0.3


def covariance(*batch):
    factor = torch.randn(*batch, 3, 3)
    return factor @ factor.mT + torch.eye(3)


def gradients(values, parameters):
    grads = torch.autograd.grad(values.sum(), parameters, retain_graph=True, allow_unused=True)
    return [tensor(torch.zeros_like(p) if g is None else g) for g, p in zip(grads, parameters)]


def known(compute):
    try:
        return tensor(compute())
    except NotImplementedError:
        return None


def seeded(draw):
    def drawn():
        torch.manual_seed(7)
        return draw()

    return drawn


def case(make, parameters, others, value, probability):
    parameters = [p.requires_grad_() for p in parameters]
    dist = make(*parameters)
    values = {
        "parameters": [tensor(p) for p in parameters],
        "value": tensor(value),
        "probability": tensor(probability),
        "batch_shape": list(dist.batch_shape),
        "event_shape": list(dist.event_shape),
        "log_prob": known(lambda: dist.log_prob(value)),
        "log_prob_gradients": gradients(dist.log_prob(value), parameters),
        "entropy": known(dist.entropy),
        "perplexity": known(dist.perplexity),
        "cdf": known(lambda: dist.cdf(value)),
        "icdf": known(lambda: dist.icdf(probability)),
        "sample": known(seeded(dist.sample)),
        "samples": known(seeded(lambda: dist.sample((6, 5)))),
        "rsample": known(seeded(lambda: dist.rsample((4,)))),
    }
    for name in ["mean", "variance", "stddev", "mode"]:
        values[name] = known(lambda: getattr(dist, name))
    if values["entropy"]:
        values["entropy_gradients"] = gradients(dist.entropy(), parameters)
    if values["rsample"]:
        values["rsample_gradients"] = gradients(seeded(lambda: dist.rsample((4,)))().square(), parameters)
    if others:
        others = [p.requires_grad_() for p in others]
        kl = D.kl_divergence(dist, make(*others))
        values["others"] = [tensor(p) for p in others]
        values["kl"] = tensor(kl)
        values["kl_gradients"] = gradients(kl, parameters + others)
    return values


half = torch.rand(3)
vector = torch.randn(4, 3)
simplex = torch.rand(4, 3).softmax(-1)
loc_scale = lambda *shape: [torch.randn(*shape), positive(*shape)]
low_high = lambda: [torch.tensor([-1.0, 0.5, 2.0]), torch.tensor([0.5, 0.75, 5.0])]
tril = lambda *batch: torch.linalg.cholesky(covariance(*batch))
mixture = lambda w, m, s: D.MixtureSameFamily(D.Categorical(logits=w), D.Normal(m, s))
mixture_of_vectors = lambda w, m, s: D.MixtureSameFamily(D.Categorical(w), D.Independent(D.Normal(m, s), 1))

cases = {
    # A scale of one number, which broadcasts.
    "normal": (D.Normal, [torch.randn(3), positive(1)], loc_scale(3), torch.randn(2, 3), half),
    "laplace": (D.Laplace, loc_scale(3), loc_scale(3), torch.randn(2, 3), half),
    "uniform": (
        D.Uniform,
        low_high(),
        [torch.tensor([-2.0, 0.6, 2.0]), torch.tensor([0.75, 1.0, 5.0])],
        torch.tensor([[0.0, 0.5, 5.0], [-1.0, 0.7, 3.0]]),
        half,
    ),
    "exponential": (D.Exponential, [positive(3)], [positive(3)], positive(2, 3), half),
    "gamma": (D.Gamma, [positive(3), positive(3)], [positive(3), positive(3)], positive(2, 3), half),
    "beta": (D.Beta, [positive(3), positive(3)], [positive(3), positive(3)], torch.rand(2, 3), half),
    "dirichlet": (
        D.Dirichlet,
        # The second one has no concentration above 1.
        [torch.tensor([[0.5, 2.0, 3.0], [0.3, 0.7, 0.2]])],
        [positive(2, 3)],
        simplex.reshape(2, 2, 3),
        half,
    ),
    "bernoulli_probs": (
        lambda p: D.Bernoulli(p),
        [torch.tensor([0.0, 0.2, 0.5, 1.0])],
        [torch.tensor([0.5, 0.0, 0.9, 0.3])],
        torch.tensor([[0.0, 1.0, 1.0, 1.0], [0.0, 0.0, 0.0, 1.0]]),
        half,
    ),
    "bernoulli_logits": (
        lambda l: D.Bernoulli(logits=l),
        [torch.tensor([-30.0, 0.4, 2.0])],
        [torch.randn(3)],
        torch.tensor([[0.0, 1.0, 1.0], [1.0, 0.0, 0.0]]),
        half,
    ),
    "categorical_probs": (
        lambda p: D.Categorical(p),
        [torch.tensor([[0.2, 0.3, 0.5], [0.0, 2.0, 2.5]])],
        [torch.tensor([[1.0, 1.0, 1.0], [0.5, 0.5, 1.0]])],
        torch.tensor([[0, 1], [2, 2]]),
        half,
    ),
    "categorical_logits": (
        lambda l: D.Categorical(logits=l),
        [torch.randn(2, 3)],
        [torch.randn(2, 3)],
        torch.tensor([[0, 1], [2, 2]]),
        half,
    ),
    "poisson": (
        D.Poisson,
        [positive(3) * 3],
        [positive(3) * 3],
        torch.tensor([[0.0, 1.0, 2.0], [7.0, 3.0, 4.0]]),
        half,
    ),
    "normal_covariance": (
        lambda m, c: D.MultivariateNormal(m, c),
        [torch.randn(3), covariance()],
        [torch.randn(3), covariance()],
        vector,
        half,
    ),
    "normal_precision": (
        lambda m, p: D.MultivariateNormal(m, precision_matrix=p),
        [torch.randn(3), covariance()],
        [torch.randn(3), covariance()],
        vector,
        half,
    ),
    # Several means, one factor.
    "normal_scale_tril": (
        lambda m, l: D.MultivariateNormal(m, scale_tril=l),
        [torch.randn(2, 3), tril()],
        [torch.randn(2, 3), tril()],
        torch.randn(5, 2, 3),
        half,
    ),
    "normal_scale_diag": (
        lambda m, s: D.MultivariateNormal(m, scale_tril=torch.diag_embed(s)),
        [torch.randn(3), positive(2, 3)],
        [torch.randn(2, 3), positive(3)],
        torch.randn(4, 2, 3),
        half,
    ),
    # A batch of factors that broadcasts.
    "normal_batch": (
        lambda m, l: D.MultivariateNormal(m, scale_tril=l),
        [torch.randn(4, 2, 3), tril(4, 1)],
        [torch.randn(2, 3), tril(2)],
        torch.randn(5, 4, 2, 3),
        half,
    ),
    "independent": (
        lambda m, s: D.Independent(D.Normal(m, s), 1),
        loc_scale(2, 3),
        loc_scale(2, 3),
        torch.randn(5, 2, 3),
        half,
    ),
    "mixture": (mixture, [torch.randn(2, 3), *loc_scale(2, 3)], None, torch.randn(4, 2), half),
    "mixture_of_vectors": (
        mixture_of_vectors,
        [torch.rand(2, 3), *loc_scale(2, 3, 4)],
        None,
        torch.randn(5, 2, 4),
        half,
    ),
}

logits, weights = torch.randn(4, 5, requires_grad=True), torch.randn(4, 5)
gumbel = {"logits": tensor(logits), "weights": tensor(weights)}
for name, hard in [("soft", False), ("hard", True)]:
    drawn = seeded(lambda: F.gumbel_softmax(logits, 0.7, hard))()
    gumbel[name] = tensor(drawn)
    gumbel[f"{name}_gradient"] = gradients(drawn * weights, [logits])[0]

write("distributions", {**{name: case(*it) for name, it in cases.items()}, "gumbel_softmax": gumbel})
