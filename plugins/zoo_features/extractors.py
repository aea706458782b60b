"""Extractors: networks that turn 8-bit images into features, each with a name and a hash that its figures bear."""

from __future__ import annotations

import contextlib
import hashlib
import os
import shutil
import tempfile
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, ClassVar

from zoo.api import DataError, Field, store, write_atomically

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


class Extractor:
    """Base of the kind `extractor`. A subclass is a keyword-only dataclass: its fields are its options.

    `name` and `sha256` say whose features they are; `resize` says what happens to an image before.
    """

    name: str
    sha256: str
    resize: str = "none"

    @property
    def label(self) -> str:
        """The name with the beginning of the hash, for figures."""
        return f"{self.name}@{self.sha256[:8]}"

    def features(self, images: Tensor, device: torch.device) -> Tensor:
        """Return the features (N, D) float32 on the CPU of images (N, C, H, W) uint8."""
        raise NotImplementedError


@dataclass(kw_only=True)
class Inception(Extractor):
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

    def features(self, images: Tensor, device: torch.device) -> Tensor:
        import numpy as np
        import torch

        network = self._network.to(device)
        from cleanfid.resize import build_resizer

        resize = build_resizer("clean")
        found = []
        with torch.inference_mode():
            for part in images.expand(-1, 3, -1, -1).permute(0, 2, 3, 1).split(32):
                resized = np.stack([resize(image) for image in part.numpy()])
                found.append(network(torch.from_numpy(resized).permute(0, 3, 1, 2).to(device)).float().cpu())
        return torch.cat(found)

    @cached_property
    def _network(self) -> nn.Module:
        # What lacks is said before anything large is fetched.
        try:
            from cleanfid.inception_torchscript import InceptionV3W
        except ImportError as error:
            raise DataError("inception features need the package clean-fid: pip install 'zoo[fid]'") from error
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
class ZooExtractor(Extractor):
    """The features before the last linear layer of a classifier that was trained here.

    Its figures are no FID and never called so: they bear the classifier's name and the hash of its weights.
    """

    of: Annotated[str, Field(min_length=1, description="A published classifier, or the folder or the spec of a run.")]
    other_data: Annotated[bool, Field(description="Take it although its data set is another one here.")] = False

    @cached_property
    def _trained(self) -> Trained:
        from zoo.api import load

        trained = load(self.of, other_data=self.other_data)
        if not self.other_data:
            trained.require_same_here(f"{{zoo: {{of: {self.of}, other_data: true}}}}")
        return trained

    @cached_property
    def _network(self) -> nn.Module:
        networks = list(self._trained.networks.values())
        if len(networks) != 1 or self._last(networks[0]) is None:
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

        trained, network = self._trained, self._network
        if tuple(images.shape[1:]) != trained.info.image:
            raise DataError(
                f"extractor zoo: found images of shape {tuple(images.shape[1:])}; {self.of} was trained on "
                f"{trained.info.image}"
            )
        held: list[Tensor] = []
        last = self._last(network)
        assert last is not None
        hook = last.register_forward_pre_hook(lambda module, given: held.append(given[0].float().cpu()))
        try:
            with torch.inference_mode():
                for part in images.split(BATCH):
                    trained.task.predict({**trained.networks}, part.to(trained.device).float() / 255, trained.info)
        finally:
            hook.remove()
        return torch.cat(held)

    @staticmethod
    def _last(network: nn.Module) -> nn.Module | None:
        from torch import nn

        found = [one for one in network.modules() if isinstance(one, nn.Linear)]
        return found[-1] if found else None


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
        _check(path, f"{source} names it")
        return path
    if not cached.is_file():
        _download(cached)
    _check(cached, "it lies in the cache")
    return cached


def _check(path: Path, origin: str) -> None:
    with path.open("rb") as file:
        found = hashlib.file_digest(file, "sha256").hexdigest()
    if found != INCEPTION_SHA256:
        raise DataError(
            f"{path}: {origin}, but its SHA-256 is {found[:12]}..., not {INCEPTION_SHA256[:12]}...: it is another file "
            "or was cut off; delete it and bring the whole one"
        )


def _download(path: Path) -> None:
    import urllib.request

    from cleanfid.downloads_helper import inception_url

    def fetch(temporary: Path) -> None:
        with urllib.request.urlopen(inception_url, timeout=DOWNLOAD_SECONDS) as response, temporary.open("wb") as file:
            shutil.copyfileobj(response, file)
        _check(temporary, "it was downloaded")

    try:
        write_atomically(path, fetch)
    except OSError as error:
        raise DataError(
            f"FID needs the Inception weights, and they cannot be downloaded from {inception_url} ({error}); bring "
            f"{INCEPTION_FILE} from another machine and name it with {INCEPTION_VARIABLE}=PATH, or put it at {path}; "
            "or measure without it: --set metrics='[{frechet_distance: {extractor: {zoo: RUN}}}]' with the run of a "
            "classifier"
        ) from error


def facts(extractor: Extractor) -> dict[str, Any]:
    """Return what a certificate says of an extractor."""
    return {"extractor": extractor.name, "extractor_sha256": extractor.sha256, "resize": extractor.resize}
