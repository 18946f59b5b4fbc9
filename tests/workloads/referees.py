"""The referees: models of ``transformers`` with a chipmark configuration, and weight mapping.

Nothing is downloaded: configurations are written here and weights are random.
"""

from __future__ import annotations

import os

os.environ.setdefault("HF_HUB_OFFLINE", "1")

import torch
from torch import nn
from transformers import (
    BertConfig,
    BertForMaskedLM,
    LlamaConfig,
    LlamaForCausalLM,
    ResNetConfig,
    ResNetForImageClassification,
)

from workloads.image_classifier import ClassifierConfig
from workloads.llm_decoder import DecoderConfig
from workloads.text_encoder import EncoderConfig


def llama(config: DecoderConfig) -> LlamaForCausalLM:
    return LlamaForCausalLM(
        LlamaConfig(
            vocab_size=config.vocab_size,
            hidden_size=config.dim,
            intermediate_size=config.ffn_dim,
            num_hidden_layers=config.num_layers,
            num_attention_heads=config.num_heads,
            num_key_value_heads=config.num_kv_heads,
            max_position_embeddings=config.max_positions,
            rms_norm_eps=config.norm_eps,
            rope_parameters={"rope_type": "default", "rope_theta": config.rope_theta},
            tie_word_embeddings=bool(config.tied_embeddings),
            bos_token_id=None,
            eos_token_id=None,
        )
    ).eval()


def bert(config: EncoderConfig) -> BertForMaskedLM:
    return BertForMaskedLM(
        BertConfig(
            vocab_size=config.vocab_size,
            hidden_size=config.dim,
            num_hidden_layers=config.num_layers,
            num_attention_heads=config.num_heads,
            intermediate_size=config.ffn_dim,
            max_position_embeddings=config.max_positions,
            type_vocab_size=config.num_token_types,
            layer_norm_eps=config.norm_eps,
            hidden_dropout_prob=0.0,
            attention_probs_dropout_prob=0.0,
        )
    ).eval()


def resnet(config: ClassifierConfig) -> ResNetForImageClassification:
    return ResNetForImageClassification(
        ResNetConfig(
            embedding_size=config.width,
            hidden_sizes=[4 * config.width * 2**stage for stage in range(4)],
            depths=[config.depth1, config.depth2, config.depth3, config.depth4],
            layer_type="bottleneck",
            downsample_in_bottleneck=False,
            num_labels=config.num_classes,
        )
    ).eval()


# Ours -> theirs, as pieces of parameter names; the first piece that fits is replaced.
_LLAMA_NAMES = {
    "embedding.": "model.embed_tokens.",
    "attention_norm.": "input_layernorm.",
    "ffn_norm.": "post_attention_layernorm.",
    "attention.query.": "self_attn.q_proj.",
    "attention.key.": "self_attn.k_proj.",
    "attention.value.": "self_attn.v_proj.",
    "attention.output.": "self_attn.o_proj.",
    "ffn.gate.": "mlp.gate_proj.",
    "ffn.up.": "mlp.up_proj.",
    "ffn.down.": "mlp.down_proj.",
}
_BERT_NAMES = {
    "embeddings.token.": "bert.embeddings.word_embeddings.",
    "embeddings.position.": "bert.embeddings.position_embeddings.",
    "embeddings.token_type.": "bert.embeddings.token_type_embeddings.",
    "embeddings.norm.": "bert.embeddings.LayerNorm.",
    "head.transform.": "cls.predictions.transform.dense.",
    "head.norm.": "cls.predictions.transform.LayerNorm.",
    "head.decoder.weight": "cls.predictions.decoder.weight",
    "head.decoder.bias": "cls.predictions.bias",
    "query.": "attention.self.query.",
    "key.": "attention.self.key.",
    "value.": "attention.self.value.",
    "attention_norm.": "attention.output.LayerNorm.",
    "ffn_norm.": "output.LayerNorm.",
    "output.": "attention.output.dense.",
    "up.": "intermediate.dense.",
    "down.": "output.dense.",
}
_CONV_NAMES = {"conv.": "convolution.", "norm.": "normalization."}


def llama_name(name: str) -> str:
    if name.startswith(("layers.", "norm.")):
        name = f"model.{name}"
    return _replaced(name, _LLAMA_NAMES)


def bert_name(name: str) -> str:
    if name.startswith("layers."):
        name = f"bert.encoder.layer.{name.removeprefix('layers.')}"
    return _replaced(name, _BERT_NAMES)


def resnet_name(name: str, config: ClassifierConfig) -> str:
    if name.startswith("classifier."):
        return name.replace("classifier.", "classifier.1.")
    if name.startswith("stem."):
        return _replaced(name.replace("stem.", "resnet.embedder.embedder."), _CONV_NAMES)
    _, index, part, rest = name.split(".", 3)
    stage, block = _stage_and_block(int(index), config)
    part = {"reduce": "layer.0", "spatial": "layer.1", "expand": "layer.2"}.get(part, part)
    return f"resnet.encoder.stages.{stage}.layers.{block}.{part}.{_replaced(rest, _CONV_NAMES)}"


def _stage_and_block(index: int, config: ClassifierConfig) -> tuple[int, int]:
    for stage, depth in enumerate((config.depth1, config.depth2, config.depth3, config.depth4)):
        if index < depth:
            return stage, index
        index -= depth
    raise AssertionError("more blocks than the configuration has")


def _replaced(name: str, pieces: dict[str, str]) -> str:
    for ours, theirs in pieces.items():
        if ours in name:
            return name.replace(ours, theirs, 1)
    return name


def scramble(model: nn.Module, seed: int) -> None:
    """Make every parameter and statistic different from its neutral value (0, 1)."""
    generator = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for tensor in model.state_dict().values():
            if tensor.is_floating_point():
                noise = torch.empty_like(tensor).uniform_(-0.05, 0.05, generator=generator)
                tensor += noise


def copy_weights(ours: nn.Module, theirs: nn.Module, names: dict[str, str]) -> None:
    """Load ``ours`` into ``theirs``; every tensor of theirs must be covered."""
    state = {names[name]: tensor for name, tensor in ours.state_dict().items()}
    missing, unexpected = theirs.load_state_dict(state, strict=False)
    assert not unexpected
    # A tied or shared tensor is listed under two names; one is enough.
    covered = {theirs.get_parameter(name).data_ptr() for name in state if _is_parameter(theirs, name)}
    assert all(theirs.get_parameter(name).data_ptr() in covered for name in missing), missing


def _is_parameter(model: nn.Module, name: str) -> bool:
    return name in dict(model.named_parameters(remove_duplicate=False))
