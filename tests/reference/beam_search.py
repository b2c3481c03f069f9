"""Beam search by Hugging Face's transformers 5.24 over a table of probabilities, and the best of all texts."""

import itertools

import torch
from transformers import GenerationConfig, GenerationMixin, PretrainedConfig, PreTrainedModel
from transformers.modeling_outputs import CausalLMOutput

from encode import tensor, write

torch.manual_seed(5)
VOCABULARY, LENGTHS, END = 6, 8, 0
table = torch.randn(LENGTHS, VOCABULARY, VOCABULARY).mul(1.5).log_softmax(-1)
prompts = torch.tensor([[3, 1], [4, 5]])


class Table(PreTrainedModel, GenerationMixin):
    config_class = PretrainedConfig

    def __init__(self):
        super().__init__(PretrainedConfig(vocab_size=VOCABULARY, is_encoder_decoder=False))
        self.unused = torch.nn.Parameter(torch.zeros(1))

    def forward(self, input_ids, **_):
        steps = [table[min(at, LENGTHS - 1)][input_ids[:, at]] for at in range(input_ids.shape[1])]
        return CausalLMOutput(logits=torch.stack(steps, 1))


def found(**options):
    config = GenerationConfig(do_sample=False, use_cache=False, pad_token_id=-7, **options)
    out = Table().generate(prompts, generation_config=config, return_dict_in_generate=True, output_scores=True)
    texts = [[token for token in text if token != -7] for text in out.sequences.tolist()]
    return [{"tokens": text, "score": score} for text, score in zip(texts, out.sequences_scores.tolist())]


def case(num_beams, length_penalty, early_stopping=False, end=END, max_new_tokens=7):
    options = dict(num_beams=num_beams, num_return_sequences=num_beams, max_new_tokens=max_new_tokens)
    options |= dict(length_penalty=length_penalty, early_stopping=early_stopping, eos_token_id=end)
    return options | {"found": found(**options)}


def exhaustive(prompt, length_penalty=0.6, longest=3):
    scores = []
    for length in range(1, longest + 1):
        for text in itertools.product(range(VOCABULARY), repeat=length):
            ends = text[-1] == END or length == longest
            if END not in text[:-1] and ends:
                whole = [*prompt, *text]
                steps = range(len(prompt) - 1, len(whole) - 1)
                total = sum(table[min(at, LENGTHS - 1), whole[at], whole[at + 1]].item() for at in steps)
                scores.append(total / length**length_penalty)
    return torch.tensor(sorted(scores, reverse=True)[:5])


penalties = [(beams, penalty) for beams in (2, 3, 5) for penalty in (0.0, 1.0, 2.0, -1.0)]
cases = [case(beams, penalty) for beams, penalty in penalties]
cases += [case(3, 1.0, early_stopping=True), case(4, 0.7, end=None, max_new_tokens=4), case(3, 1.0, max_new_tokens=2)]
write(
    "beam_search",
    {
        "table": tensor(table),
        "prompts": tensor(prompts),
        "cases": cases,
        "exhaustive": [tensor(exhaustive(prompt)) for prompt in prompts.tolist()],
    },
)
