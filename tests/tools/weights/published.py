"""Makes tiny checkpoints as the transformers library writes them, and what that library computes with them: python3 published.py [NAME ..]

Needs torch, transformers and peft. The configurations are random but small; nothing is downloaded.
"""

import os
import shutil
import sys
import tempfile

import numpy as np
import torch
import transformers as hf
from safetensors.numpy import save_file

WORDS = 11
DECODER = dict(
    vocab_size=WORDS,
    hidden_size=16,
    intermediate_size=12,
    num_hidden_layers=2,
    num_attention_heads=4,
    num_key_value_heads=2,
    max_position_embeddings=32,
    rms_norm_eps=1e-5,
    rope_theta=10000.0,
)
# No model has words of its own for these.
NO_WORDS = dict(pad_token_id=None, bos_token_id=None, eos_token_id=None)


def fill(model, generator):
    """Random weights of a size at which every part of a model matters; those that are vectors around one."""
    with torch.no_grad():
        for p in model.parameters():
            p.copy_(torch.randn(p.shape, generator=generator) * 0.4 + (1.0 if p.dim() == 1 else 0.0))
        for name, b in model.named_buffers():
            if name.endswith("e_score_correction_bias"):
                b.copy_(torch.randn(b.shape, generator=generator) * 0.4)
    return model.eval()


def text(generator, *shape):
    return torch.randint(0, WORDS, shape, generator=generator)


def arrays(tensors):
    whole = {torch.int64: np.int32}
    return {k: np.ascontiguousarray(v.detach().numpy().astype(whole.get(v.dtype, np.float32))) for k, v in tensors.items()}


def written(model, name, file="model.safetensors"):
    with tempfile.TemporaryDirectory() as folder:
        model.save_pretrained(folder)
        shutil.copy(os.path.join(folder, file), f"{name}.safetensors")


def keep(name, model, inputs, call):
    """The checkpoint, what it is given (a function of a generator), and what it says (a function of that)."""
    generator = torch.Generator().manual_seed(5)
    fill(model, generator)
    inputs = inputs(generator)
    with torch.no_grad():
        says = call(model, inputs)
    written(model, name)
    save_file(arrays(inputs), f"{name}.inputs.safetensors")
    save_file(arrays(says), f"{name}.expected.safetensors")


def decoder(name, model):
    keep(name, model, lambda g: {"token": text(g, 2, 6)}, lambda m, i: {"logits": m(i["token"]).logits})


def llama():
    decoder("llama", hf.LlamaForCausalLM(hf.LlamaConfig(**DECODER, tie_word_embeddings=False)))


def mixtral():
    config = hf.MixtralConfig(**DECODER, num_local_experts=3, num_experts_per_tok=2)
    decoder("mixtral", hf.MixtralForCausalLM(config))


def olmoe():
    config = hf.OlmoeConfig(**DECODER, **NO_WORDS, num_experts=4, num_experts_per_tok=2, norm_topk_prob=False)
    decoder("olmoe", hf.OlmoeForCausalLM(config))


def qwen2_moe():
    config = hf.Qwen2MoeConfig(
        **DECODER,
        **NO_WORDS,
        num_experts=4,
        num_experts_per_tok=2,
        moe_intermediate_size=8,
        shared_expert_intermediate_size=10,
        norm_topk_prob=False,
        mlp_only_layers=[0],
    )
    decoder("qwen2_moe", hf.Qwen2MoeForCausalLM(config))


def deepseek_v3():
    config = hf.DeepseekV3Config(
        **{**DECODER, "num_key_value_heads": 4, "rope_theta": None},
        **NO_WORDS,
        moe_intermediate_size=8,
        n_shared_experts=1,
        n_routed_experts=4,
        num_experts_per_tok=2,
        n_group=2,
        topk_group=1,
        routed_scaling_factor=2.5,
        norm_topk_prob=True,
        first_k_dense_replace=1,
        q_lora_rank=8,
        kv_lora_rank=6,
        qk_nope_head_dim=4,
        qk_rope_head_dim=8,
        v_head_dim=5,
        rope_parameters=dict(
            rope_type="yarn",
            rope_theta=100.0,
            factor=4.0,
            original_max_position_embeddings=16,
            beta_fast=4,
            beta_slow=1,
            mscale=1.0,
            mscale_all_dim=1.0,
        ),
    )
    decoder("deepseek_v3", hf.DeepseekV3ForCausalLM(config))


def gpt_oss():
    config = hf.GptOssConfig(
        **{**DECODER, "rope_theta": None},
        **NO_WORDS,
        head_dim=8,
        num_local_experts=4,
        num_experts_per_tok=2,
        sliding_window=3,
        layer_types=["sliding_attention", "full_attention"],
        rope_parameters=dict(
            rope_type="yarn",
            rope_theta=100.0,
            factor=4.0,
            original_max_position_embeddings=16,
            beta_fast=4.0,
            beta_slow=1.0,
            truncate=False,
        ),
    )
    decoder("gpt_oss", hf.GptOssForCausalLM(config))


def phi3():
    decoder("phi3", hf.Phi3ForCausalLM(hf.Phi3Config(**DECODER, **NO_WORDS)))


def gpt_neox():
    kept = {k: v for k, v in DECODER.items() if k not in ("num_key_value_heads", "rms_norm_eps", "rope_theta")}
    config = hf.GPTNeoXConfig(**kept, **NO_WORDS, rotary_pct=0.5, use_parallel_residual=True)
    decoder("gpt_neox", hf.GPTNeoXForCausalLM(config))


def gemma2():
    config = hf.Gemma2Config(
        **DECODER,
        **NO_WORDS,
        head_dim=6,
        sliding_window=3,
        query_pre_attn_scalar=8,
        attn_logit_softcapping=2.0,
        final_logit_softcapping=3.0,
        attn_implementation="eager",
    )
    decoder("gemma2", hf.Gemma2ForCausalLM(config))


def t5():
    config = hf.T5Config(
        vocab_size=WORDS,
        d_model=16,
        d_kv=6,
        d_ff=12,
        num_layers=2,
        num_decoder_layers=2,
        num_heads=4,
        relative_attention_num_buckets=8,
        relative_attention_max_distance=12,
        decoder_start_token_id=0,
    )
    keep(
        "t5",
        hf.T5ForConditionalGeneration(config),
        lambda g: {"source": text(g, 2, 7), "target": text(g, 2, 5)},
        lambda m, i: {"logits": m(input_ids=i["source"], decoder_input_ids=i["target"]).logits},
    )


def mamba():
    config = hf.MambaConfig(
        vocab_size=WORDS, hidden_size=8, state_size=4, num_hidden_layers=2, expand=2, conv_kernel=4, time_step_rank=3, **NO_WORDS
    )
    decoder("mamba", hf.MambaForCausalLM(config))


def vit():
    config = hf.ViTConfig(
        hidden_size=16, num_hidden_layers=2, num_attention_heads=4, intermediate_size=12, image_size=8, patch_size=4, num_labels=5
    )
    keep(
        "vit",
        hf.ViTForImageClassification(config),
        lambda g: {"image": torch.randn(2, 3, 8, 8, generator=g)},
        lambda m, i: {"logits": m(i["image"]).logits},
    )


def whisper():
    config = hf.WhisperConfig(
        vocab_size=WORDS,
        num_mel_bins=5,
        d_model=16,
        encoder_layers=2,
        decoder_layers=2,
        encoder_attention_heads=4,
        decoder_attention_heads=4,
        encoder_ffn_dim=12,
        decoder_ffn_dim=12,
        max_source_positions=6,
        max_target_positions=8,
        pad_token_id=0,
        bos_token_id=1,
        eos_token_id=2,
        decoder_start_token_id=1,
        suppress_tokens=None,
        begin_suppress_tokens=None,
    )
    keep(
        "whisper",
        hf.WhisperForConditionalGeneration(config),
        lambda g: {"sound": torch.randn(2, 5, 12, generator=g), "token": text(g, 2, 5)},
        lambda m, i: {"logits": m(input_features=i["sound"], decoder_input_ids=i["token"]).logits},
    )


def lokr():
    """An adapter of PEFT beside the checkpoint of `llama`: one factor in full, the other in full and as a product."""
    from peft import LoKrConfig, get_peft_model

    llama()
    generator = torch.Generator().manual_seed(6)
    with tempfile.TemporaryDirectory() as folder:
        model = hf.LlamaForCausalLM(hf.LlamaConfig(**DECODER, tie_word_embeddings=False))
        model.save_pretrained(folder)
        shutil.copy("llama.safetensors", os.path.join(folder, "model.safetensors"))
        base = hf.LlamaForCausalLM.from_pretrained(folder)
    config = LoKrConfig(
        r=1, alpha=3, target_modules=["q_proj", "v_proj", "down_proj"], rank_pattern={"v_proj": 3}, decompose_factor=4
    )
    model = get_peft_model(base, config)
    with torch.no_grad():
        for name, p in model.named_parameters():
            if "lokr" in name:
                p.copy_(torch.randn(p.shape, generator=generator) * 0.4)
    model.eval()
    token = text(generator, 2, 6)
    with torch.no_grad():
        logits = model(token).logits
    written(model, "lokr", "adapter_model.safetensors")
    save_file(arrays({"token": token}), "lokr.inputs.safetensors")
    save_file(arrays({"logits": logits}), "lokr.expected.safetensors")


ALL = [llama, mixtral, olmoe, qwen2_moe, deepseek_v3, gpt_oss, phi3, gpt_neox, gemma2, t5, mamba, vit, whisper, lokr]
for make in ALL:
    if not sys.argv[1:] or make.__name__ in sys.argv[1:]:
        torch.manual_seed(0)
        make()
