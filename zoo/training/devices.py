"""Devices behind one adapter: the layout of each operation, precision flags, bf16, float64 and what the host counts."""

from __future__ import annotations

import contextlib
import platform
from collections.abc import Iterator
from typing import Any

import torch
from torch import Tensor, nn

from zoo.training.strided import without_strides


def place(module: nn.Module, device: torch.device) -> nn.Module:
    """Move a network to `device`, in the layout that its convolutions are fastest in, and right.

    Names, shapes and values of its state stay what they are. A network that was placed can be placed again.
    """
    lay_out(module.to(device))
    return without_strides(module) if device.type == "cpu" else module


def lay_out(module: nn.Module) -> nn.Module:
    """Put the weights of a network over images into the layout of `laid_out`; torch has it for no volumes."""
    if all(one.dim() < 5 for one in module.parameters()):
        module.to(memory_format=torch.channels_last)
    return module


def laid_out(images: Tensor) -> Tensor:
    """Return images (N, C, H, W) in the layout in which placed networks take them, and others as they are."""
    return images.contiguous(memory_format=torch.channels_last) if images.dim() == 4 else images


def exact(values: Tensor) -> Tensor:
    """Return float64 values on the CPU: some devices (Apple's) have no float64."""
    return values.cpu().double()


@contextlib.contextmanager
def precision(device: torch.device, mode: str) -> Iterator[None]:
    """Let float32 products on a CUDA device be computed as `mode` says (fp32, tf32 or bf16) meanwhile.

    torch keeps each of these flags twice, under an old name and under a new one, and refuses to tell the old where the
    two disagree. So both are set, and both are put back: they are the whole program's.
    """
    if device.type != "cuda":
        yield
        return
    before = _flags()
    tf32 = mode == "tf32"
    _set_flags(tf32, "high" if tf32 else "highest", dict.fromkeys(before[2], "tf32" if tf32 else "ieee"))
    try:
        yield
    finally:
        _set_flags(*before)


#: Of the flags that torch keeps by backend and operation, those that float32 on a CUDA device obeys, and one that the
#: old name of the first sets with it. The wider come first: setting them sets what is inside.
_FP32 = (("cuda", "all"), ("cuda", "matmul"), ("mkldnn", "matmul"), ("cuda", "conv"), ("cuda", "rnn"))


def _flags() -> tuple[bool, str, dict[tuple[str, str], str]]:
    """Return TF32 in cuDNN and the precision of products by their old names, and all by their new ones."""
    new = {key: torch._C._get_fp32_precision_getter(*key) for key in _FP32}
    # Where an old name cannot be read, it says something else than the new one.
    try:
        cudnn = torch._C._get_cudnn_allow_tf32()
    except RuntimeError:
        cudnn = new["cuda", "conv"] != "tf32"
    try:
        products = torch.get_float32_matmul_precision()
    except RuntimeError:
        products = "highest" if new["cuda", "matmul"] == "tf32" else "high"
    return cudnn, products, new


def _set_flags(cudnn: bool, products: str, new: dict[tuple[str, str], str]) -> None:
    torch._C._set_cudnn_allow_tf32(cudnn)
    torch.set_float32_matmul_precision(products)
    for (backend, operation), value in new.items():
        torch._C._set_fp32_precision_setter(backend, operation, value)


def bf16_units(device: torch.device) -> str:
    """Name what computes bf16 on this device; empty where nothing does, or a CPU only imitates it, which is slow."""
    if device.type == "cuda":
        return "tensor cores" if torch.cuda.is_bf16_supported(including_emulation=False) else ""
    if device.type != "cpu":
        return "bf16"
    if platform.machine().lower() in ("arm64", "aarch64"):
        # Wheels without oneDNN, as those for macOS are, have no such operation.
        supported: Any = getattr(torch.ops.mkldnn, "_is_mkldnn_bf16_supported", None)
        return "Arm's bf16" if supported is not None and supported() else ""
    units = {"AMX": torch.cpu._is_amx_tile_supported(), "AVX-512 BF16": torch.cpu._is_avx512_bf16_supported()}
    return next((name for name, present in units.items() if present), "")


def seed_default(device: torch.device, seed: int) -> None:
    """Seed the generator that torch's own layers draw from on `device`; torch.manual_seed takes 0.3 ms for all."""
    if device.type == "cuda":
        torch.cuda.default_generators[device.index or 0].manual_seed(seed)
    elif device.type == "cpu":
        torch.default_generator.manual_seed(seed)
    else:
        torch.manual_seed(seed)


def synchronize(device: torch.device) -> None:
    """Wait until the device has done what was asked of it."""
    if device.type == "cuda":
        torch.cuda.synchronize(device)
    elif device.type == "mps":
        torch.mps.synchronize()


def page_faults() -> int:
    """Return how many pages of memory this process was given so far; 0 where the system does not tell (Windows)."""
    try:
        import resource
    except ImportError:
        return 0
    return resource.getrusage(resource.RUSAGE_SELF).ru_minflt
