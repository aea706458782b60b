"""Built-in plugin: torch's own vocabulary, under torch's names and with torch's defaults."""

from __future__ import annotations

from collections.abc import Iterator

from zoo import Component, hookimpl

LAYERS = {
    "conv": ("layers:Conv", "Convolution of a sequence, an image or a volume."),
    "conv_transpose": ("layers:ConvTranspose", "Transposed convolution of a sequence, an image or a volume."),
    "linear": ("layers:Linear", "Matrix product over the features of a vector."),
    "self_attention": ("attention:SelfAttention", "Each pixel takes from all others what it asks for."),
    "window_attention": (
        "attention:WindowAttention",
        "Attention within windows, shifted ones too, with learned biases by distance.",
    ),
    "class_token": ("attention:ClassToken", "Learned tokens before the others."),
    "position": ("attention:Position", "A learned value for each place, added."),
    "scale": ("attention:Scale", "A learned factor for each channel."),
    "max_pool": ("pools:MaxPool", "The largest value in each window."),
    "average_pool": ("pools:AveragePool", "The mean of each window."),
    "adaptive_average_pool": ("pools:AdaptiveAveragePool", "Means over a given number of windows."),
    "global_average_pool": ("pools:GlobalAveragePool", "The mean of each channel, as a vector."),
    "global_max_pool": ("pools:GlobalMaxPool", "The largest value of each channel, as a vector."),
    "adaptive_max_pool": ("pools:AdaptiveMaxPool", "The largest value in each of a given number of windows."),
    "flatten": ("reshaping:Flatten", "All values as one vector."),
    "identity": ("reshaping:Identity", "Hands its input on."),
    "reshape": ("reshaping:Reshape", "The same values in another shape."),
    "dropout": ("reshaping:Dropout", "Zeros at random while training."),
    "stochastic_depth": ("reshaping:StochasticDepth", "Whole images of zeros at random while training."),
    "channel_dropout": ("reshaping:ChannelDropout", "Whole channels of zeros at random while training."),
    "rnn": ("recurrent:RNN", "A recurrent layer over a sequence."),
    "lstm": ("recurrent:LSTM", "Long short-term memory over a sequence."),
    "gru": ("recurrent:GRU", "Gated recurrent units over a sequence."),
    "embedding": ("conditioning:Embedding", "A learned vector for each label, or for each token of a sequence."),
    "sinusoids": ("conditioning:Sinusoids", "Sines and cosines of a time."),
    "sum": ("conditioning:Sum", "The sum of each channel, or of all."),
    "qkv_attention": ("conditioning:QKVAttention", "Attention whose queries, keys and values come in."),
    "zero_init": ("conditioning:ZeroInit", "A layer whose weight begins at zero."),
    "spectral_norm": ("spectral:SpectralNorm", "A layer whose weight is divided by its largest singular value."),
    "upsample": ("reshaping:Upsample", "Enlarge an image."),
    "pixel_shuffle": ("reshaping:PixelShuffle", "Channels into space."),
    "pixel_unshuffle": ("reshaping:PixelUnshuffle", "Space into channels."),
    "channel_shuffle": ("reshaping:ChannelShuffle", "The channels of all groups in turn."),
    "channels": ("reshaping:Channels", "Some of the channels."),
    "crop": ("axes:Crop", "A part of each axis, or one place of it."),
    "pad": ("axes:Pad", "More places around each axis: zeros, or what stands near."),
    "roll": ("axes:Roll", "Each axis shifted, what leaves comes in at the other end."),
    "permute": ("axes:Permute", "The axes in another order."),
    "softmax": ("axes:Softmax", "Exponentials that sum to 1 along an axis."),
    "windows": ("axes:Windows", "An image cut into windows."),
    "merge_windows": ("axes:MergeWindows", "Windows put together to an image."),
    "zero_pad": ("reshaping:ZeroPad", "Zeros around an image."),
    "shortcut_pad": (
        "reshaping:ShortcutPad",
        "A shortcut without weights: every n-th pixel, and channels of zeros.",
    ),
}
ACTIVATIONS = {
    "celu": "CELU",
    "elu": "ELU",
    "gelu": "GELU",
    "glu": "GLU",
    "hardsigmoid": "Hardsigmoid",
    "hardswish": "Hardswish",
    "hardtanh": "Hardtanh",
    "leaky_relu": "LeakyReLU",
    "logsigmoid": "LogSigmoid",
    "mish": "Mish",
    "prelu": "PReLU",
    "relu": "ReLU",
    "relu6": "ReLU6",
    "rrelu": "RReLU",
    "selu": "SELU",
    "sigmoid": "Sigmoid",
    "silu": "SiLU",
    "softplus": "Softplus",
    "softsign": "Softsign",
    "tanh": "Tanh",
    "tanhshrink": "Tanhshrink",
}
NORMS = {
    "batch_norm": ("BatchNorm", "Normalise each channel over the batch."),
    "group_norm": ("GroupNorm", "Normalise groups of channels of each image."),
    "local_response_norm": ("LocalResponseNorm", "Divide by the squares of the channels nearby."),
    "instance_norm": ("InstanceNorm", "Normalise each channel of each image."),
    "layer_norm": ("LayerNorm", "Normalise all values of each image together, or the channels of each pixel."),
    "none": ("NoNorm", "No norm."),
    "rms_norm": ("RMSNorm", "Divide the channels of each pixel by the root of their mean square."),
}
INITIALIZERS = {
    "default": "torch's own, of each layer.",
    "normal": "Weights from a normal distribution, as of DCGAN.",
    "orthogonal": "Weights that are orthogonal matrices.",
    "trained": "Weights of a network that was trained before.",
}
LOSSES = {
    "cross_entropy": ("CrossEntropy", "Cross entropy of logits and labels."),
    "multi_margin": ("multi_margin", "Multi-class hinge loss of logits and labels."),
    "binary_cross_entropy": ("binary_cross_entropy", "Binary cross entropy of the logit of each class, or value."),
    "mean_squared_error": ("mean_squared_error", "Mean squared difference of numbers."),
    "mean_absolute_error": ("mean_absolute_error", "Mean absolute difference of numbers."),
    "huber": ("huber", "Squared where numbers are near, absolute where they are far."),
}
OPTIMIZERS = {
    "adadelta": "Adadelta.",
    "adafactor": "Adafactor.",
    "adagrad": "Adagrad.",
    "adam": "Adam.",
    "adamax": "Adamax.",
    "adamw": "Adam with decoupled weight decay.",
    "by_group": "One optimizer for matrices, another for the rest.",
    "muon": "Muon, for matrices.",
    "nadam": "Adam with Nesterov momentum.",
    "radam": "Rectified Adam.",
    "rmsprop": "RMSprop.",
    "rprop": "Resilient propagation.",
    "sgd": "Stochastic gradient descent, with momentum or not.",
}
SCHEDULES = {
    "constant": "1 throughout.",
    "cosine": "Half a cosine from 1 down.",
    "cosine_restarts": "Cosines one after another.",
    "exponential": "A factor every step.",
    "linear": "A line from 1 down.",
    "multi_step": "A factor at each milestone.",
    "one_cycle": "A rise to the full rate, then a fall to almost nothing.",
    "polynomial": "A power of what is left.",
    "step": "A factor every so many steps.",
    "warmup": "A rise in a line, then another schedule.",
}


@hookimpl
def zoo_components() -> Iterator[Component]:
    """Return torch's layers, activations, norms, losses, optimizers and schedules."""
    for name, (target, summary) in LAYERS.items():
        yield Component("layer", name, f"zoo_torch.{target}", summary)
    for name, target in ACTIVATIONS.items():
        yield Component("activation", name, f"zoo_torch.activations:{target}", f"torch.nn.{target}")
    yield Component("activation", "formula", "zoo_torch.formulas:FormulaActivation", "A function that a formula gives.")
    yield Component("schedule", "formula", "zoo_torch.formulas:formula_schedule", "A factor that a formula gives.")
    for name, (target, summary) in NORMS.items():
        yield Component("norm", name, f"zoo_torch.norms:{target}", summary)
    for name, (target, summary) in LOSSES.items():
        yield Component("loss", name, f"zoo_torch.losses:{target}", summary)
    for kind, module, table in (
        ("initializer", "initializers", INITIALIZERS),
        ("optimizer", "optimizers", OPTIMIZERS),
        ("schedule", "schedules", SCHEDULES),
    ):
        for name, summary in table.items():
            yield Component(kind, name, f"zoo_torch.{module}:{name}", summary)
