"""A small but real BLIP image-text matching checkpoint on disk: seeded random weights, a tokenizer of letters."""

from pathlib import Path
from typing import Any

from tests.checkpoints import SENTENCES

IMAGE_SIZE = 32
_SEED = 20240607
_WIDTH = 32


def blip_checkpoint(folder: Path, *, side: int = IMAGE_SIZE, seed: int = _SEED, captioner: bool = False) -> Path:
    """A BLIP ITM checkpoint for pictures of ``side`` pixels; a ``captioner`` is a BLIP without a matching head."""
    import torch
    from transformers import BertTokenizer, BlipConfig, BlipForConditionalGeneration, BlipForImageTextRetrieval
    from transformers.models.blip.image_processing_pil_blip import BlipImageProcessorPil

    folder.mkdir(parents=True, exist_ok=True)
    letters = sorted(set("".join(SENTENCES)) - {" "})
    specials = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", "[DEC]", "[ENC]"]
    pieces = [*specials, *letters, *(f"##{letter}" for letter in letters)]
    vocabulary = {piece: number for number, piece in enumerate(pieces)}
    tokenizer = BertTokenizer(vocab=vocabulary, model_max_length=512)
    tokenizer.save_pretrained(folder)
    BlipImageProcessorPil(size={"height": side, "width": side}).save_pretrained(folder)
    tower: dict[str, Any] = {
        "hidden_size": _WIDTH,
        "intermediate_size": 2 * _WIDTH,
        "num_hidden_layers": 2,
        "num_attention_heads": 2,
    }
    ends = {"pad_token_id": 0, "sep_token_id": 3, "bos_token_id": vocabulary["[DEC]"], "eos_token_id": 3}
    text = {"vocab_size": len(pieces), "max_position_embeddings": 512, "encoder_hidden_size": _WIDTH, **ends}
    config = BlipConfig(
        text_config={**tower, **text},
        vision_config={**tower, "image_size": side, "patch_size": 8},
        image_text_hidden_size=16,
    )
    torch.manual_seed(seed)
    model: Any = (BlipForConditionalGeneration if captioner else BlipForImageTextRetrieval)(config).eval()
    with torch.no_grad():  # Far enough apart that other pictures and texts give visibly other scores.
        for parameter in model.parameters():
            if parameter.dim() > 1:
                parameter.normal_(std=0.2)
    model.save_pretrained(folder, safe_serialization=True)
    return folder
