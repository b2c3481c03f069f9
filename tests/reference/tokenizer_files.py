"""What Hugging Face's tokenizers 0.23.3 make of a tokenizer.json of each kind, trained on the shipped book as models have theirs: byte-level BPE as
RoBERTa's, WordPiece as BERT's, with padding and truncation turned on in the file, and Unigram as T5's. 0.23.1 and 0.23.2 cut pairs in another way: they
stop at the word that reaches the greatest length, and so take two long texts to be equally long."""

import gzip
import json
from pathlib import Path

from tokenizers import Tokenizer, decoders, models, normalizers, pre_tokenizers, processors, trainers

from encode import write

book = gzip.decompress((Path(__file__).parents[2] / "runtime/data/moby_dick.txt.gz").read_bytes()).decode()
lines = book[:40000].splitlines(keepends=True)
texts = [
    "Call me Ishmael.",
    "It's Ahab's whale, isn't it? Towards thee I roll, thou all-destroying but unconquering whale;",
    "Some years ago - never mind how long précisely - having little money in my purse 鲸.",
]
# Of one token and of several a word, either text the longer one, by little and by much.
words = [("a a a", "b b"), ("b b", "a a a"), ("a a a a a a", "b"), ("b", "a a a a a a"), ("whale sea ship", "whale ship")]


def bpe():
    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    special = ["<s>", "<pad>", "</s>", "<unk>", "<mask>"]
    alphabet = sorted(pre_tokenizers.ByteLevel.alphabet())
    trainer = trainers.BpeTrainer(vocab_size=400, special_tokens=special, initial_alphabet=alphabet, show_progress=False)
    tokenizer.train_from_iterator(lines, trainer)
    tokenizer.post_processor = processors.RobertaProcessing(("</s>", 2), ("<s>", 0), add_prefix_space=False)
    return tokenizer


def wordpiece():
    tokenizer = Tokenizer(models.WordPiece(unk_token="[UNK]"))
    tokenizer.normalizer = normalizers.BertNormalizer(lowercase=True)
    tokenizer.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    tokenizer.decoder = decoders.WordPiece()
    special = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"]
    tokenizer.train_from_iterator(
        lines, trainers.WordPieceTrainer(vocab_size=300, special_tokens=special, show_progress=False)
    )
    tokenizer.post_processor = processors.TemplateProcessing(
        single="[CLS] $A [SEP]", pair="[CLS] $A [SEP] $B:1 [SEP]:1", special_tokens=[("[CLS]", 2), ("[SEP]", 3)]
    )
    tokenizer.enable_padding(length=128, pad_id=0, pad_token="[PAD]")
    tokenizer.enable_truncation(8)
    return tokenizer


def unigram():
    tokenizer = Tokenizer(models.Unigram())
    tokenizer.normalizer = normalizers.NFKC()
    tokenizer.pre_tokenizer = pre_tokenizers.Metaspace()
    tokenizer.decoder = decoders.Metaspace()
    tokenizer.train_from_iterator(
        lines,
        trainers.UnigramTrainer(
            vocab_size=300, special_tokens=["<pad>", "</s>", "<unk>"], unk_token="<unk>", show_progress=False
        ),
    )
    tokenizer.post_processor = processors.TemplateProcessing(
        single="$A </s>", pair="$A </s> $B </s>", special_tokens=[("</s>", 1)]
    )
    return tokenizer


def told(encodings):
    return [{"ids": one.ids, "mask": one.attention_mask, "types": one.type_ids} for one in encodings]


def values(tokenizer, pad):
    file = json.loads(tokenizer.to_str())
    padding = {"pad_id": tokenizer.token_to_id(pad), "pad_token": pad}
    pairs = list(zip(texts, texts[1:]))
    tokenizer.no_padding()
    tokenizer.no_truncation()
    special = tokenizer.encode_batch(texts)
    found = {
        "json": file,
        "texts": texts,
        "plain": told(tokenizer.encode_batch(texts, add_special_tokens=False)),
        "special": told(special),
        "pairs": told(tokenizer.encode_batch(pairs)),
        "decoded": [
            {
                "all": tokenizer.decode(one.ids, skip_special_tokens=False),
                "skipped": tokenizer.decode(one.ids, skip_special_tokens=True),
            }
            for one in special
        ],
    }
    tokenizer.enable_padding(**padding)
    found["longest"] = told(tokenizer.encode_batch(texts))
    tokenizer.enable_padding(length=16, **padding)
    tokenizer.enable_truncation(12)
    found["cut"] = told(tokenizer.encode_batch(texts))
    found["cut_pairs"] = told(tokenizer.encode_batch(pairs))
    tokenizer.no_padding()
    found["pairs_of_words"] = []
    for max_length in range(5, 12):
        tokenizer.enable_truncation(max_length)
        found["pairs_of_words"].append({"max_length": max_length, "cut": told(tokenizer.encode_batch(words))})
    return found


write(
    "tokenizer_files",
    {
        "bpe": values(bpe(), "<pad>"),
        "wordpiece": values(wordpiece(), "[PAD]"),
        "unigram": values(unigram(), "<pad>"),
    },
)
