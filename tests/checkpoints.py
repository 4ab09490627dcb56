"""Small but real SigLIP and CLIP checkpoints on disk: random weights of a fixed seed, tokenizers trained here."""

import json
from pathlib import Path
from typing import Any

SENTENCES = (
    "an airport with many planes parked beside the terminal",
    "a harbour with boats and a long pier",
    "a river runs through a dense residential area",
    "many green trees and buildings are around a playground",
    "circular irrigated fields in a desert",
    "several storage tanks near a road and a railway station",
    "white waves on a yellow beach next to the sea",
    "a baseball field beside a parking lot with cars",
)
IMAGE_SIZE = 32
_SEED = 20240607
_SIGLIP_VOCABULARY = 80
_WIDTH = 32
_TOWER: dict[str, Any] = {
    "hidden_size": _WIDTH,
    "intermediate_size": 2 * _WIDTH,
    "num_hidden_layers": 2,
    "num_attention_heads": 2,
}


def siglip_checkpoint(folder: Path) -> Path:
    """A SigLIP checkpoint with 32-d vectors of 32 px images and an English SentencePiece tokenizer."""
    import torch
    from transformers import SiglipConfig, SiglipModel
    from transformers.models.siglip.image_processing_pil_siglip import SiglipImageProcessorPil
    from transformers.models.siglip.tokenization_siglip import SiglipTokenizer

    folder.mkdir(parents=True, exist_ok=True)
    vocabulary = _sentencepiece(folder)
    tokenizer = SiglipTokenizer(vocab_file=str(vocabulary), model_max_length=64)
    tokenizer.save_pretrained(folder)
    SiglipImageProcessorPil(
        size={"height": IMAGE_SIZE, "width": IMAGE_SIZE}, image_mean=[0.5] * 3, image_std=[0.5] * 3
    ).save_pretrained(folder)
    config = SiglipConfig(
        text_config={
            **_TOWER,
            "vocab_size": len(tokenizer),
            "max_position_embeddings": 64,
            "projection_size": _WIDTH,
            "bos_token_id": None,
            "pad_token_id": tokenizer.pad_token_id,
            "eos_token_id": tokenizer.eos_token_id,
        },
        vision_config={**_TOWER, "image_size": IMAGE_SIZE, "patch_size": 8},
    )
    torch.manual_seed(_SEED)
    _spread(SiglipModel(config)).save_pretrained(folder, safe_serialization=True)
    return folder


def clip_checkpoint(folder: Path) -> Path:
    """A CLIP checkpoint with 24-d vectors of 32 px images and an English byte-level tokenizer."""
    import torch
    from transformers import CLIPConfig, CLIPModel, CLIPTokenizer
    from transformers.models.clip.image_processing_pil_clip import CLIPImageProcessorPil

    folder.mkdir(parents=True, exist_ok=True)
    vocabulary, merges = _byte_pairs(folder)
    tokenizer = CLIPTokenizer(vocab=vocabulary, merges=merges, model_max_length=77)
    tokenizer.save_pretrained(folder)
    CLIPImageProcessorPil(
        size={"shortest_edge": IMAGE_SIZE}, crop_size={"height": IMAGE_SIZE, "width": IMAGE_SIZE}
    ).save_pretrained(folder)
    config = CLIPConfig(
        projection_dim=24,
        text_config={
            **_TOWER,
            "vocab_size": len(tokenizer),
            "max_position_embeddings": 77,
            "bos_token_id": tokenizer.bos_token_id,
            "eos_token_id": tokenizer.eos_token_id,
            "pad_token_id": tokenizer.pad_token_id,
        },
        vision_config={**_TOWER, "image_size": IMAGE_SIZE, "patch_size": 8},
    )
    torch.manual_seed(_SEED)
    _spread(CLIPModel(config)).save_pretrained(folder, safe_serialization=True)
    return folder


def _spread(model: Any) -> Any:
    """Weights far enough apart that different inputs give visibly different vectors."""
    import torch

    with torch.no_grad():
        for parameter in model.parameters():
            if parameter.dim() > 1:
                parameter.normal_(std=0.2)
    return model.eval()


def _sentencepiece(folder: Path) -> Path:
    import sentencepiece

    corpus = folder / "corpus.tmp"
    corpus.write_text("\n".join(SENTENCES * 20), encoding="utf-8")
    sentencepiece.SentencePieceTrainer.train(
        input=str(corpus),
        model_prefix=str(folder / "spiece"),
        vocab_size=_SIGLIP_VOCABULARY,
        character_coverage=1.0,
        pad_id=-1,
        bos_id=-1,
        eos_id=1,
        unk_id=0,
        eos_piece="</s>",
        unk_piece="<unk>",
        minloglevel=2,
    )
    corpus.unlink()
    return folder / "spiece.model"


def _byte_pairs(folder: Path) -> tuple[dict[str, int], list[tuple[str, str]]]:
    """Vocabulary and merges in CLIP's manner: byte-level, lower case, "</w>" at the end of a word."""
    from tokenizers import Tokenizer, models, normalizers, pre_tokenizers, trainers

    trained = Tokenizer(models.BPE(end_of_word_suffix="</w>"))
    trained.normalizer = normalizers.Lowercase()
    trained.pre_tokenizer = pre_tokenizers.Sequence(
        [pre_tokenizers.Split(" ", "removed"), pre_tokenizers.ByteLevel(add_prefix_space=False)]
    )
    trainer = trainers.BpeTrainer(
        vocab_size=900, initial_alphabet=pre_tokenizers.ByteLevel.alphabet(), end_of_word_suffix="</w>"
    )
    trained.train_from_iterator(SENTENCES * 20, trainer)
    model = json.loads(trained.to_str())["model"]
    vocabulary: dict[str, int] = {}
    for piece in (*pre_tokenizers.ByteLevel.alphabet(), *model["vocab"]):
        vocabulary.setdefault(piece, len(vocabulary))
        if len(piece) == 1:
            vocabulary.setdefault(f"{piece}</w>", len(vocabulary))
    for special in ("<|startoftext|>", "<|endoftext|>"):
        vocabulary[special] = len(vocabulary)
    return vocabulary, [(pair[0], pair[1]) for pair in model["merges"]]
