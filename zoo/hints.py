"""The name that was meant: one that others use for the same, or one that is written almost alike."""

from __future__ import annotations

import re
from collections.abc import Iterable

#: Words of torch, Keras, Hydra and others that mean the same; each line is about one thing. The first that is known
#: where another of its line was found is the hint, so a line may hold names of ours that stand in different places.
SAME = (
    "lr learning_rate base_lr max_lr",
    "steps epochs num_epochs max_epochs iterations iters max_steps num_steps total_steps",
    "batch_size batch bs samples_per_gpu per_device_train_batch_size",
    "weight_decay l2 wd decay l2_regularization kernel_regularizer",
    "betas beta1 beta_1 beta_2 beta2",
    "eps epsilon",
    "probability dropout p rate dropout_rate drop_rate prob keep_prob",
    "channels filters out_channels num_filters out_planes planes",
    "features units out_features num_features hidden_units",
    "kernel kernel_size filter_size pool_size window",
    "stride strides",
    "dilation dilation_rate atrous_rate",
    "bias use_bias",
    "heads num_heads n_heads",
    "groups num_groups",
    "times n repeats num_layers",
    "layers layer modules children",
    "linear dense fully_connected fc",
    "conv convolution separable_conv",
    "conv_transpose deconv deconvolution convolution_transpose",
    "max_pool max_pooling",
    "average_pool avg_pool average_pooling mean_pool",
    "adaptive_average_pool adaptive_avg_pool",
    "global_average_pool global_avg_pool gap global_average_pooling",
    "batch_norm batch_normalization bn",
    "layer_norm layer_normalization ln",
    "group_norm group_normalization gn",
    "channel_dropout spatial_dropout",
    "identity nothing noop pass_through",
    "residual skip_connection shortcut skip",
    "branches parallel concat concatenate",
    "sequence sequential",
    "reshape view",
    "upsample upsampling up_sampling interpolate resize",
    "self_attention attention multihead_attention multi_head_attention mha",
    "squeeze_excitation se squeeze_excite se_block",
    "zero_pad zero_padding pad",
    "pixel_shuffle depth_to_space",
    "pixel_unshuffle space_to_depth",
    "silu swish",
    "sigmoid logistic",
    "leaky_relu lrelu",
    "none null no_norm",
    "cross_entropy categorical_crossentropy sparse_categorical_crossentropy ce nll nll_loss softmax_loss",
    "bce binary_cross_entropy binary_crossentropy bce_with_logits vanilla",
    "hinge hinge_loss",
    "least_squares lsgan mse mse_loss",
    "wasserstein wgan",
    "cosine cosine_annealing cosine_decay cosine_annealing_lr",
    "multi_step multi_step_lr piecewise_constant",
    "step step_lr",
    "one_cycle one_cycle_lr super_convergence",
    "cosine_restarts cosine_annealing_warm_restarts sgdr",
    "exponential exponential_lr exponential_decay",
    "polynomial poly poly_lr",
    "constant fixed",
    "horizontal_flip random_horizontal_flip random_flip hflip flip",
    "random_crop crop",
    "color_jitter colour_jitter jitter",
    "cutout random_erasing erasing",
    "classify classification classifier",
    "diffuse diffusion ddpm",
    "networks network models model nets",
    "architecture arch backbone model",
    "optimizer optimiser optim solver",
    "schedule scheduler lr_scheduler lr_schedule sched",
    "init initializer initialization kernel_initializer",
    "gradient_clip grad_clip clip_norm clipnorm clip_grad gradient_clip_val max_grad_norm",
    "augment augmentation augmentations transform transforms",
    "callbacks callback hooks",
    "trackers tracker loggers logger",
    "data dataset datasets",
    "train training trainer fit",
    "budget limits limit constraints",
    "extends defaults base _base_",
    "validation val val_size validation_size val_split validation_split",
    "evaluate_every eval_every val_interval eval_interval validate_every",
    "checkpoint_every save_every save_interval",
    "log_every log_interval logging_steps",
    "accumulate accumulate_grad_batches gradient_accumulation gradient_accumulation_steps",
    "seed random_seed manual_seed",
    "parameters params num_params weights_count",
    "macs flops mult_adds multiply_adds",
    "memory ram peak_memory",
    "file_size model_size",
    "precision dtype amp",
    "device accelerator",
    "let variables vars",
)
#: What others have and a spec has not; a name that happens to be written alike would mislead.
ABSENT = frozenset(
    ["gru", "lstm", "rnn", "embedding", "softmax", "swiglu", "geglu", "negate", "einsum", "permute", "transpose"]
)


def nearest(name: str, names: Iterable[str]) -> str:
    """Return the one of `names` that `name` means, or "" when none is near."""
    known = sorted(names)
    plain, by_form = _form(name), {_form(one): one for one in known}
    if plain in by_form:
        return by_form[plain]
    for line in SAME:
        if plain in map(_form, line.split()):
            for word in line.split():
                if word in known:
                    return word
    if plain in ABSENT:
        return ""
    # Two letters that changed places, in a word too short for what follows.
    for one in known:
        if len(one) == len(name) and sorted(one) == sorted(name.lower()):
            return one
    from difflib import get_close_matches

    matches = get_close_matches(name.lower(), known, n=1, cutoff=0.7)
    # A word cut short or spelt out, such as convolution for conv, is near too.
    matches = matches or [
        one for one in known if min(len(one), len(name)) > 2 and (name.startswith(one) or one.startswith(name))
    ]
    return matches[0] if matches else ""


def _form(name: str) -> str:
    """Return a name without what libraries write differently: BatchNorm2d, batch-norm and batch_norm are one."""
    return re.sub(r"[^a-z0-9]|[123]d$", "", name.lower().removesuffix("layer"))
