"""A model whose output projection is its token embedding."""

# mypy: disable-error-code="misc"
# (torch is not type-checked here, so subclassing nn.Module is subclassing Any)

from __future__ import annotations

from collections.abc import Callable

from torch import Tensor, nn


class TiedWeightsModule(nn.Module):
    """Keeps an embedding and an output projection tied through every conversion.

    Some conversions (from the meta device, to devices of another tensor type) replace parameters
    one by one and would leave two. A projection that was replaced on purpose, for example by a
    quantized one, is no longer tied and stays as it is.
    """

    def tied_modules(self) -> tuple[nn.Module, nn.Module]:
        """The embedding and the output projection."""
        raise NotImplementedError

    def tie(self) -> None:
        """Make the output projection use the embedding's weight."""
        embedding, projection = self.tied_modules()
        projection.weight = embedding.weight

    def _apply(self, fn: Callable[[Tensor], Tensor], recurse: bool = True) -> TiedWeightsModule:
        embedding, projection = self.tied_modules()
        was_tied = projection.weight is embedding.weight
        super()._apply(fn, recurse)
        if was_tied:
            self.tie()
        return self
