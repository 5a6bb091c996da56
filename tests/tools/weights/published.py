"""Makes tiny checkpoints as the transformers library writes them, and what that library computes with them: python3 published.py [NAME ..]

Needs torch and transformers. The configurations are random but small; nothing is downloaded.
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


ALL = [llama, mixtral, mamba, vit]
for make in ALL:
    if not sys.argv[1:] or make.__name__ in sys.argv[1:]:
        torch.manual_seed(0)
        make()
