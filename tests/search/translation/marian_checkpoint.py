"""A small but real MarianMT checkpoint on disk, taught a handful of translations in seconds."""

import json
from pathlib import Path

PAIRS = {
    "磨坊": "Mill.",
    "谷仓": "Barn.",
    "犇彧鑫淼": "An old mill by the sea.",
}
_SEED = 20240607
_STEPS = 120


def marian_checkpoint(folder: Path) -> Path:
    """A MarianMT checkpoint that translates PAIRS; its tokenizers are trained on them."""
    import torch
    from transformers import MarianConfig, MarianMTModel, MarianTokenizer

    folder.mkdir(parents=True, exist_ok=True)
    vocabulary = {"</s>": 0, "<unk>": 1}
    for name, texts in (("source", list(PAIRS)), ("target", list(PAIRS.values()))):
        for piece in _sentencepiece(folder, name, texts):
            vocabulary.setdefault(piece, len(vocabulary))
    vocabulary["<pad>"] = len(vocabulary)
    (folder / "vocab.json").write_text(json.dumps(vocabulary, ensure_ascii=False), encoding="utf-8")
    tokenizer = MarianTokenizer(
        source_spm=str(folder / "source.spm"),
        target_spm=str(folder / "target.spm"),
        vocab=str(folder / "vocab.json"),
        source_lang="zh",
        target_lang="en",
    )
    tokenizer.save_pretrained(folder)
    torch.manual_seed(_SEED)
    model = MarianMTModel(
        MarianConfig(
            vocab_size=len(vocabulary),
            d_model=32,
            encoder_layers=1,
            decoder_layers=1,
            encoder_attention_heads=2,
            decoder_attention_heads=2,
            encoder_ffn_dim=64,
            decoder_ffn_dim=64,
            max_position_embeddings=160,
            dropout=0.0,
            pad_token_id=vocabulary["<pad>"],
            eos_token_id=0,
            forced_eos_token_id=0,
            decoder_start_token_id=vocabulary["<pad>"],
        )
    )
    batch = tokenizer(list(PAIRS), text_target=list(PAIRS.values()), return_tensors="pt", padding=True)
    batch["labels"][batch["labels"] == vocabulary["<pad>"]] = -100
    optimiser = torch.optim.Adam(model.parameters(), lr=1e-2)
    for _step in range(_STEPS):
        optimiser.zero_grad()
        model(**batch).loss.backward()
        optimiser.step()
    model.eval().save_pretrained(folder, safe_serialization=True)
    return folder


def _sentencepiece(folder: Path, name: str, texts: list[str]) -> list[str]:
    import sentencepiece

    corpus = folder / "corpus.tmp"
    corpus.write_text("\n".join(texts * 20), encoding="utf-8")
    sentencepiece.SentencePieceTrainer.train(
        input=str(corpus),
        model_prefix=str(folder / name),
        vocab_size=40,
        hard_vocab_limit=False,
        character_coverage=1.0,
        minloglevel=2,
    )
    corpus.unlink()
    (folder / f"{name}.vocab").unlink()
    (folder / f"{name}.model").rename(folder / f"{name}.spm")
    model = sentencepiece.SentencePieceProcessor(model_file=str(folder / f"{name}.spm"))
    return [model.id_to_piece(number) for number in range(model.get_piece_size())]
