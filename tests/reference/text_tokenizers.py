"""Tokens of characters and words by Python's own means, and of byte pairs by Hugging Face's tokenizers 0.23, of the shipped book."""

import gzip
import json
import re
from collections import Counter
from pathlib import Path

from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers

from encode import write

book = gzip.decompress((Path(__file__).parents[2] / "runtime/data/moby_dick.txt.gz").read_bytes()).decode()
text = "Call me Ishmael. It's Ahab's whale, isn't it?\nTowards thee I roll, thou all-destroying   whale;"


def words(text):
    return re.findall(r"\w+(?:['’]\w+)*|[^\w\s]", text)


def of_words(lowercase):
    cased = book.lower() if lowercase else book
    counts = sorted(Counter(words(cased)).items(), key=lambda pair: (-pair[1], pair[0]))
    vocabulary = ["<unk>", "<pad>"] + [word for word, count in counts if count >= 3][:1998]
    ids = {word: index for index, word in enumerate(vocabulary)}
    cut = words(text.lower() if lowercase else text)
    return {"size": len(vocabulary), "first": vocabulary[:10], "ids": [ids.get(word, 0) for word in cut]}


def bpe(part, size, special):
    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    alphabet = pre_tokenizers.ByteLevel.alphabet()
    trainer = trainers.BpeTrainer(
        vocab_size=size, min_frequency=2, special_tokens=special, initial_alphabet=alphabet, show_progress=False
    )
    tokenizer.train_from_iterator(part.splitlines(keepends=True), trainer)
    return tokenizer


characters = sorted(set(book))
part = book[:60000]
trained, other = bpe(part, 600, ["<|endoftext|>"]), bpe(part, 300, ["<pad>"])
write(
    "text_tokenizers",
    {
        "text": text,
        "character": {"size": len(characters), "ids": [characters.index(character) for character in text]},
        "word": {"all": len(set(words(book.lower()))) + 1, "lower": of_words(True), "cased": of_words(False)},
        "bpe": {
            "characters": len(part),
            "size": trained.get_vocab_size(),
            "ids": trained.encode(text).ids,
            "pieces": [trained.id_to_token(index) for index in range(300, 600)],
        },
        "file": {"json": json.loads(other.to_str()), "ids": other.encode(text).ids},
    },
)
