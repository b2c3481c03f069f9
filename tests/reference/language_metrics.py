"""Texts against references: BLEU and chrF by sacrebleu 2.6.0, ROUGE by rouge-score 0.1.2, word errors by jiwer 4.0.0,
edits by rapidfuzz 3.14.6."""

import jiwer
import numpy as np
import sacrebleu
from rapidfuzz.distance import Levenshtein
from rouge_score.rouge_scorer import RougeScorer

from encode import write

predictions = [
    "the quick brown fox jumped over the lazy dog today",
    "there is a cat on the mat and the cat is fat",
    "he",
    "the the the the the the the",
    "in the morning we walked along the river to the old mill",
]
references = [
    "the quick brown fox jumps over the lazy dog",
    "the cat is on the mat and it is a fat cat",
    "hello world again",
    "the cat is on the mat",
    "this morning we walked along the river to the old mill",
]
others = [
    "a quick brown fox jumped over a lazy dog",
    "there is a fat cat on the mat",
    "he said hello",
    "there is a cat on the mat",
    "in the morning we went along the river as far as the old mill and back",
]


class Words:
    def tokenize(self, text):
        return text.split()


def bleu(predictions, *references):
    plain = dict(smooth_method="none", tokenize="none", force=True)
    return sacrebleu.corpus_bleu(predictions, list(references), **plain).score / 100


def rouge(name):
    scorer = RougeScorer([name], tokenizer=Words())
    scores = [scorer.score(reference, prediction)[name] for prediction, reference in zip(predictions, references)]
    return np.mean(scores, axis=0).tolist()


write(
    "language_metrics",
    {
        "predictions": predictions,
        "references": references,
        "others": others,
        "bleu": {
            "one": bleu(predictions, references),
            "two": bleu(predictions, references, others),
            "short": bleu([" ".join(predictions[0].split()[:4])], references[:1]),
            "last": bleu(predictions[4:], references[4:]),
        },
        "chrf": {
            "corpus": sacrebleu.corpus_chrf(predictions, [references]).score / 100,
            **{
                str(i): sacrebleu.corpus_chrf([prediction], [[reference]]).score / 100
                for i, (prediction, reference) in enumerate(zip(predictions, references))
            },
        },
        "word_error_rate": jiwer.wer(references, predictions),
        "edit_distances": [Levenshtein.distance(a, b) for a, b in zip(predictions, references)],
        "rouge": {name: rouge(name) for name in ("rouge1", "rouge2", "rougeL")},
    },
)
