"""Makes tiny checkpoints as the transformers library writes them, and what that library computes with them: python3 published.py

Needs torch and transformers. The configurations are random but small; nothing is downloaded.
"""

import os
import shutil
import tempfile

import numpy as np
import torch
from safetensors.numpy import save_file
from transformers import LlamaConfig, LlamaForCausalLM, MixtralConfig, MixtralForCausalLM

SMALL = dict(
    vocab_size=11,
    hidden_size=16,
    intermediate_size=12,
    num_hidden_layers=2,
    num_attention_heads=4,
    num_key_value_heads=2,
    max_position_embeddings=32,
    rms_norm_eps=1e-5,
    rope_theta=10000.0,
)


def keep(name, model):
    generator = torch.Generator().manual_seed(5)
    with torch.no_grad():
        for p in model.parameters():
            p.copy_(torch.randn(p.shape, generator=generator) * 0.4 + (1.0 if p.dim() == 1 else 0.0))
    model.eval()
    tokens = torch.randint(0, SMALL["vocab_size"], (2, 6), generator=generator)
    with torch.no_grad():
        logits = model(tokens).logits
    with tempfile.TemporaryDirectory() as folder:
        model.save_pretrained(folder)
        shutil.copy(os.path.join(folder, "model.safetensors"), f"{name}.safetensors")
    save_file({"token": tokens.numpy().astype(np.int32)}, f"{name}.inputs.safetensors")
    save_file({"logits": np.ascontiguousarray(logits.numpy())}, f"{name}.expected.safetensors")


torch.manual_seed(0)
keep("llama", LlamaForCausalLM(LlamaConfig(**SMALL, tie_word_embeddings=False)))
keep("mixtral", MixtralForCausalLM(MixtralConfig(**SMALL, num_local_experts=3, num_experts_per_tok=2)))
