"""Networks from torch modules, traced by torch.fx; the module is only looked at, never run or changed."""

from __future__ import annotations

from typing import Any

from slth.errors import InvalidInput, MissingExtra
from slth.networks.network import Network
from slth.readers.build import Builder, Shape, Value, as_shape, refused, unsupported
from slth.readers.torch_layers import FUNCTIONS, MODULES, SUPPORTED, Call


def read_torch(module: Any, input_shape: int | Shape | None = None, *, logits: bool = False) -> Network:
    """Network of a torch.nn.Module, as it computes in evaluation mode.

    Nodes carry the modules' names (``layer1.0.conv1``); functions carry those of torch.fx. Dropout is left
    out and batch norm uses its running statistics, folded into the layer before, whatever mode the module is
    in. Weights are taken as float64, exactly.

    Raises
    ------
    InvalidInput
        For layers or wirings that are not supported; the message names the layer.
    MissingExtra
        If torch is not installed.
    """
    try:
        import torch
    except ImportError:
        raise MissingExtra("reading torch modules needs torch. Install slth[torch].") from None
    if not isinstance(module, torch.nn.Module):
        raise InvalidInput(f"`source` must be a torch.nn.Module; got {type(module).__name__}.")
    _check_parts(module)
    tracer = torch.fx.Tracer()
    try:
        # A module that is a leaf itself (Linear alone) is traced as the one layer of a Sequential.
        leaf = tracer.is_leaf_module(module, "")
        root = torch.nn.Sequential(module) if leaf else module
        graph = tracer.trace(root)
    except Exception as error:  # the module's own code runs here, on symbols
        raise InvalidInput(
            f"`source` must be a module that torch.fx can trace; got {type(module).__name__} ({error!s:.200})."
        ) from error
    return _Reader(root, graph, input_shape, logits=logits).network()


class _Reader:
    """Walks the traced graph; one method per kind of graph node."""

    def __init__(self, root: Any, graph: Any, input_shape: int | Shape | None, *, logits: bool) -> None:
        import torch

        self._torch = torch
        self._root = root
        self._modules = dict(root.named_modules(remove_duplicate=False))
        self._values: dict[Any, Any] = {}
        self._owners: dict[int, str] = {}
        self._uses: dict[int, int] = {}
        self._graph = graph
        places = [node for node in graph.nodes if node.op == "placeholder"]
        if len(places) != 1:
            names = ", ".join(node.name for node in places)
            raise InvalidInput(f"`source` must take one input; got {len(places)} ({names}).")
        shape = self._input_shape(places[0]) if input_shape is None else as_shape(input_shape)
        self._build = Builder(shape, places[0].name, logits=logits)

    def network(self) -> Network:
        for node in self._graph.nodes:
            if node.op == "output":
                result = self._argument(node.args[0])
                if not isinstance(result, Value):
                    raise InvalidInput(f"`source` must return one tensor; got {type(result).__name__}.")
                return self._build.network(result)
            self._values[node] = getattr(self, f"_{node.op}")(node)
        raise InvalidInput("`source` must return a tensor; got nothing.")

    def _input_shape(self, place: Any) -> Shape:
        for user in place.users:
            module = self._modules.get(user.target) if user.op == "call_module" else None
            if module is not None and type(module) is self._torch.nn.Linear:
                return (int(module.in_features),)
        raise InvalidInput(
            "`input_shape` must be given, like (1, 28, 28), for a module that does not begin with a Linear."
        )

    def _argument(self, argument: Any) -> Any:
        if isinstance(argument, (tuple, list)):
            return tuple(self._argument(item) for item in argument)
        return self._values[argument] if isinstance(argument, self._torch.fx.Node) else argument

    def _placeholder(self, _node: Any) -> Value:
        return self._build.input

    def _get_attr(self, node: Any) -> Any:
        value = self._root
        for part in node.target.split("."):
            value = getattr(value, part)
        if isinstance(value, self._torch.nn.Parameter):
            self._own(value, node.target, len(node.users))
        return value

    def _call_module(self, node: Any) -> Any:
        module, name = self._modules[node.target], node.target
        kind = type(module).__name__
        read = MODULES.get(kind) if type(module).__module__.startswith("torch.nn.modules.") else None
        arguments = [self._argument(item) for item in node.args]
        if read is None:
            raise unsupported(kind, name, SUPPORTED)
        if len(arguments) != 1 or node.kwargs or not isinstance(arguments[0], Value):
            raise refused(
                "call its layers with one tensor", f"{len(arguments) + len(node.kwargs)} arguments", name
            )
        for label, parameter in module.named_parameters(recurse=False):
            self._own(parameter, f"{name}.{label}")
        sole = isinstance(node.args[0], self._torch.fx.Node) and len(node.args[0].users) == 1
        return read(self._build, name, arguments[0], module, sole)

    def _call_function(self, node: Any) -> Any:
        name = getattr(node.target, "__name__", str(node.target))
        return self._call(node, name.removesuffix("_"), node.args, node.kwargs)

    def _call_method(self, node: Any) -> Any:
        return self._call(node, node.target.removesuffix("_"), node.args, node.kwargs)

    def _call(self, node: Any, kind: str, args: Any, kwargs: Any) -> Any:
        read = FUNCTIONS.get(kind)
        given = [self._argument(item) for item in args]
        named = {key: self._argument(item) for key, item in kwargs.items()}
        if read is None:
            raise unsupported(kind, node.name, SUPPORTED)
        try:
            return read(Call(self._build, node, self._sole), *given, **named)
        except (TypeError, IndexError, AttributeError) as error:
            raise refused(f"call {kind} as documented", f"other arguments ({error})", node.name) from None

    def _sole(self, node: Any) -> bool:
        return all(len(item.users) == 1 for item in node.all_input_nodes)

    def _own(self, parameter: Any, name: str, uses: int = 1) -> None:
        """Remember whose parameter it is; one that is used again is shared, and so refused."""
        owner = self._owners.setdefault(id(parameter), name)
        self._uses[id(parameter)] = self._uses.get(id(parameter), 0) + uses
        if self._uses[id(parameter)] > 1:
            raise refused("use each layer's weights once", f"those of {owner!r} again: shared weights", name)


def _check_parts(module: Any) -> None:
    """Refuse layers without weights yet, and hooks, which change what a layer computes.

    The hooks of torch.nn.utils.prune only apply its masks.
    """
    from torch.nn.parameter import is_lazy
    from torch.nn.utils.prune import BasePruningMethod

    for name, part in module.named_modules():
        if any(is_lazy(parameter) for parameter in part.parameters(recurse=False)):
            raise refused("have all weights", f"{type(part).__name__} without any", name or type(part).__name__)
        before = [hook for hook in part._forward_pre_hooks.values() if not isinstance(hook, BasePruningMethod)]
        if before or part._forward_hooks:
            raise refused("have no hooks", f"hooks on {type(part).__name__}", name or type(part).__name__)
