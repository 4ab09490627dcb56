"""Small but real SigLIP and CLIP checkpoints on disk: random weights of a fixed seed, tokenizers trained here."""

import json
from dataclasses import dataclass
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


@dataclass(frozen=True)
class Shape:
    """How large a SigLIP model is; image and patch in pixels, vocabulary in tokens (0: what training gave)."""

    width: int
    layers: int
    heads: int
    image: int = IMAGE_SIZE
    patch: int = 8
    vocabulary: int = 0

    @property
    def tower(self) -> dict[str, Any]:
        """What both towers have in common; the inner layer is four times as wide, as in every SigLIP."""
        return {
            "hidden_size": self.width,
            "intermediate_size": 4 * self.width,
            "num_hidden_layers": self.layers,
            "num_attention_heads": self.heads,
        }


# Git-RSCLIP-base and Git-RSCLIP (large), made small: heads, patches and padding as there, fewer and narrower layers.
BASE_REDUCED = Shape(width=96, layers=3, heads=12, image=64, patch=16)
LARGE_REDUCED = Shape(width=128, layers=4, heads=16, image=64, patch=16)
BASE_FULL = Shape(width=768, layers=12, heads=12, image=256, patch=16, vocabulary=32_000)


def siglip_of_shape(folder: Path, shape: Shape, *, spread: bool = True) -> Path:
    """A SigLIP checkpoint of this shape with an English SentencePiece tokenizer; weights float32, seeded.

    Without ``spread`` the weights are those of transformers' own initialisation.
    """
    import torch
    from transformers import SiglipConfig, SiglipModel

    folder.mkdir(parents=True, exist_ok=True)
    tokenizer = _siglip_tokenizer(folder, vocabulary=shape.vocabulary)
    _siglip_pictures(folder, side=shape.image)
    config = SiglipConfig(
        text_config={
            **shape.tower,
            "vocab_size": len(tokenizer),
            "max_position_embeddings": 64,
            "projection_size": shape.width,
            "bos_token_id": None,
            "pad_token_id": tokenizer.pad_token_id,
            "eos_token_id": tokenizer.eos_token_id,
        },
        vision_config={**shape.tower, "image_size": shape.image, "patch_size": shape.patch},
    )
    torch.manual_seed(_SEED)
    model = SiglipModel(config).eval()
    if spread:
        _spread(model, std=0.1)
    model.save_pretrained(folder, safe_serialization=True)
    return folder


def siglip2_checkpoint(folder: Path, *, naflex: bool = False) -> Path:
    """A SigLIP 2 checkpoint in one of its two forms, with a lower-casing byte-fallback tokenizer as Gemma's.

    Of fixed resolution it has the architecture of SigLIP (``model_type`` "siglip"); ``naflex`` keeps the proportions
    of a picture and has an architecture of its own ("siglip2").
    """
    import torch
    from transformers import Siglip2Config, Siglip2Model, SiglipConfig, SiglipModel
    from transformers.models.siglip2.image_processing_pil_siglip2 import Siglip2ImageProcessorPil

    folder.mkdir(parents=True, exist_ok=True)
    tokenizer = _gemma_tokenizer()
    tokenizer.save_pretrained(folder)
    text = {
        **_TOWER,
        "vocab_size": len(tokenizer),
        "max_position_embeddings": 64,
        "projection_size": _WIDTH,
        "bos_token_id": tokenizer.bos_token_id,
        "pad_token_id": tokenizer.pad_token_id,
        "eos_token_id": tokenizer.eos_token_id,
    }
    torch.manual_seed(_SEED)
    if naflex:
        Siglip2ImageProcessorPil(patch_size=8, max_num_patches=16).save_pretrained(folder)
        vision = {**_TOWER, "patch_size": 8, "num_patches": 16}
        model: Any = Siglip2Model(Siglip2Config(text_config=text, vision_config=vision))
    else:
        _siglip_pictures(folder, side=IMAGE_SIZE)
        vision = {**_TOWER, "image_size": IMAGE_SIZE, "patch_size": 8}
        model = SiglipModel(SiglipConfig(text_config=text, vision_config=vision))
    _spread(model).save_pretrained(folder, safe_serialization=True)
    return folder


def siglip_checkpoint(folder: Path) -> Path:
    """A SigLIP checkpoint with 32-d vectors of 32 px images and an English SentencePiece tokenizer."""
    import torch
    from transformers import SiglipConfig, SiglipModel

    folder.mkdir(parents=True, exist_ok=True)
    tokenizer = _siglip_tokenizer(folder)
    _siglip_pictures(folder, side=IMAGE_SIZE)
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


def _spread(model: Any, *, std: float = 0.2) -> Any:
    """Weights far enough apart that different inputs give visibly different vectors."""
    import torch

    with torch.no_grad():
        for parameter in model.parameters():
            if parameter.dim() > 1:
                parameter.normal_(std=std)
    return model.eval()


def _siglip_tokenizer(folder: Path, *, vocabulary: int = 0) -> Any:
    from transformers.models.siglip.tokenization_siglip import SiglipTokenizer

    tokenizer = SiglipTokenizer(vocab_file=str(_sentencepiece(folder, vocabulary=vocabulary)), model_max_length=64)
    tokenizer.save_pretrained(folder)
    return tokenizer


def _siglip_pictures(folder: Path, *, side: int) -> None:
    from transformers.models.siglip.image_processing_pil_siglip import SiglipImageProcessorPil

    SiglipImageProcessorPil(
        size={"height": side, "width": side}, image_mean=[0.5] * 3, image_std=[0.5] * 3
    ).save_pretrained(folder)


def _gemma_tokenizer() -> Any:
    """A Gemma tokenizer of single characters, spaces as "▁", whatever it lacks as bytes."""
    from transformers import GemmaTokenizer

    specials = ["<pad>", "<eos>", "<bos>", "<unk>", "<mask>"]
    bytes_ = [f"<0x{number:02X}>" for number in range(256)]
    letters = [*sorted(set("".join(SENTENCES)) - {" "}), "▁"]
    vocabulary = {piece: number for number, piece in enumerate([*specials, *bytes_, *letters])}
    return GemmaTokenizer(
        vocab=vocabulary, merges=[], model_max_length=64, padding_side="right", add_bos_token=False, add_eos_token=True
    )


def _sentencepiece(folder: Path, *, vocabulary: int = 0) -> Path:
    """Train on our sentences; a larger ``vocabulary`` is filled up with pieces that no text contains."""
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
    path = folder / "spiece.model"
    if vocabulary:
        from sentencepiece import sentencepiece_model_pb2

        model = sentencepiece_model_pb2.ModelProto.FromString(path.read_bytes())
        for number in range(len(model.pieces), vocabulary):
            model.pieces.add(piece=f"▁zz{number}", score=-100.0)
        path.write_bytes(model.SerializeToString())
    return path


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
