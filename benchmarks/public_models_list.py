"""Which public models are tried, by benchmarks/public_models.py: each as a spec names it, without a line of Python."""

from typing import Any, NamedTuple

DIGITS_FILE = "digits.npz"
"""The first images of the source digits, which benchmarks/public_models.py writes beside the spec."""
DIGITS = {"source": {"kind": "arrays", "path": DIGITS_FILE}, "splits": {"train": 0.6, "valid": 0.2, "test": 0.2}}
CHANNELS = {"layout": "channels"}
TEXT_FILE = "text.txt"
"""The beginning of the topics of Python's help(), which benchmarks/public_models.py writes beside the spec."""

TASKS: dict[str, dict[str, Any]] = {
    "digits": {"data": DIGITS, "objective": {"kind": "cross_entropy"}},
    "masks": {
        "data": {"source": "digit_pairs", "target": "pixels", "splits": {"train": 0.4, "valid": 0.2, "test": 0.4}},
        "objective": {"kind": "cross_entropy", "metrics": ["iou"]},
    },
    "table": {
        "data": {"source": "diabetes", "normalize": "per_feature"},
        "objective": {"kind": "mse", "metrics": ["r2"]},
    },
    "text": {
        "data": {
            "source": {"kind": "text_file", "path": TEXT_FILE, "context_length": 32, "min_count": 3},
            "splits": {"train": 0.6, "valid": 0.2, "test": 0.2},
        },
        "objective": {"kind": "cross_entropy", "metrics": ["perplexity"]},
    },
}
"""Few samples of bundled data: nothing is downloaded."""


class PublicModel(NamedTuple):
    """A model that nobody here wrote. `setting` is the `model` of the spec, `data` what was said beside the task's."""

    name: str
    distribution: str
    package: str
    task: str
    setting: dict[str, Any]
    data: dict[str, Any]


def _timm(name: str, **arguments: Any) -> PublicModel:
    return PublicModel(f"timm {name}", "timm", "timm", "digits", {"kind": "timm", "name": name, **arguments}, {})


def _torchvision(name: str, **arguments: Any) -> PublicModel:
    setting = {"kind": "torchvision", "name": name, **arguments}
    return PublicModel(f"torchvision {name}", "torchvision", "torchvision", "digits", setting, {})


def _vit(place: str, **arguments: Any) -> PublicModel:
    kind = f"vit_pytorch.{place}" if ":" in place else f"vit_pytorch:{place}"
    setting = {"kind": kind, "channels": "infer num_channels", **arguments}
    return PublicModel(kind, "vit-pytorch", "vit_pytorch", "digits", setting, CHANNELS)


def _own(distribution: str, kind: str, task: str, data: dict[str, Any] | None = None, **arguments: Any) -> PublicModel:
    package = kind.partition(":")[0].partition(".")[0]
    return PublicModel(kind, distribution, package, task, {"kind": kind, **arguments}, data or {})


TOKENS = {"dim": 32, "depth": 2, "heads": 2, "mlp_dim": 64}
SMALL = {"hidden_size": 32, "num_hidden_layers": 2, "num_attention_heads": 2, "intermediate_size": 64}


def _config(kind: str, **arguments: Any) -> dict[str, Any]:
    return {"config": {"kind": f"transformers:{kind}", **arguments}}


MODELS: tuple[PublicModel, ...] = (
    _timm("resnet18"),
    _timm("convnext_atto", resize=32),
    _timm("efficientnet_b0"),
    _timm("mobilenetv3_small_050"),
    _timm("deit_tiny_patch16_224", patch_size=2),
    _timm("vit_tiny_patch16_224", resize=32),
    _timm("swin_tiny_patch4_window7_224", embed_dim=24),
    _timm("mixer_s32_224", resize=32),
    _timm("regnetx_002"),
    _torchvision("resnet18"),
    _torchvision("densenet121", resize=32),
    _torchvision("shufflenet_v2_x0_5"),
    _torchvision("mnasnet0_5"),
    _torchvision("mobilenet_v3_small", dropout=0.1),
    _torchvision("squeezenet1_1", resize=32),
    _vit("ViT", patch_size=2, **TOKENS),
    _vit("SimpleViT", patch_size=2, **TOKENS),
    _own("vit-pytorch", "vit_pytorch.mobile_vit:MobileViT", "digits", CHANNELS, image_size=[8, 8], dims=[16, 24, 32],
         channels=[8, 8, 16, 16, 24, 24, 32, 32, 32, 32, 64]),
    _vit("cross_vit:CrossViT", sm_dim=16, lg_dim=32, sm_patch_size=2, lg_patch_size=4, depth=1),
    _vit("deepvit:DeepViT", patch_size=2, **TOKENS),
    _vit("nest:NesT", patch_size=2, dim=16, heads=2, num_hierarchies=2, block_repeats=1),
    _vit("parallel_vit:ViT", patch_size=2, **TOKENS),
    _vit("local_vit:LocalViT", patch_size=2, **TOKENS),
    _vit("cvt:CvT", s3_depth=1),
    _vit("max_vit:MaxViT", dim=16, depth=[1], window_size=2),
    _own(
        "vit-pytorch", "vit_pytorch.cct:CCT", "digits", CHANNELS, img_size="infer image_size", embedding_dim=32,
        n_input_channels="infer num_channels", kernel_size=3, stride=1, padding=1, num_layers=2, num_heads=2,
        mlp_ratio=2.0,
    ),
    _own(
        "vit-pytorch", "vit_pytorch.levit:LeViT", "digits", CHANNELS, dim=32, depth=1, heads=2, mlp_mult=2, stages=1,
    ),
    _own(
        "vit-pytorch", "vit_pytorch.vit_1d:ViT", "digits", {"layout": "lines"}, seq_len=8, channels=8, patch_size=2,
        **TOKENS,
    ),
    _own("mlp-mixer-pytorch", "mlp_mixer_pytorch:MLPMixer", "digits", CHANNELS, channels="infer num_channels",
         patch_size=2, dim=32, depth=2),
    _own("perceiver-pytorch", "perceiver_pytorch:Perceiver", "digits", num_freq_bands=4, depth=1, max_freq=8.0,
         input_channels=8, input_axis=1, num_latents=8, latent_dim=32),
    _own("x-transformers", "x_transformers:ViTransformerWrapper", "digits", CHANNELS, patch_size=2, channels=1,
         attn_layers={"kind": "x_transformers:Encoder", "dim": 32, "depth": 2, "heads": 2}),
    _own("x-transformers", "x_transformers:TransformerWrapper", "text", num_tokens="infer vocabulary_size",
         max_seq_len="infer context_length",
         attn_layers={"kind": "x_transformers:Decoder", "dim": 32, "depth": 2, "heads": 2}),
    _own("transformers", "transformers:GPT2LMHeadModel", "text",
         **_config("GPT2Config", vocab_size="infer vocabulary_size", n_embd=32, n_layer=2, n_head=2)),
    _own("transformers", "transformers:LlamaForCausalLM", "text",
         **_config("LlamaConfig", vocab_size="infer vocabulary_size", **SMALL)),
    _own("transformers", "transformers:BertLMHeadModel", "text",
         **_config("BertConfig", vocab_size="infer vocabulary_size", is_decoder=True, **SMALL)),
    _own("transformers", "transformers:BertForMaskedLM", "text",
         **_config("BertConfig", vocab_size="infer vocabulary_size", **SMALL)),
    _own("transformers", "transformers:ViTForImageClassification", "digits", CHANNELS,
         **_config("ViTConfig", image_size="infer image_size", num_channels="infer num_channels", patch_size=2,
                   num_labels="infer num_classes", **SMALL)),
    _own("transformers", "transformers:ConvNextForImageClassification", "digits", CHANNELS,
         **_config("ConvNextConfig", num_channels="infer num_channels", patch_size=1, num_labels="infer num_classes",
                   hidden_sizes=[8, 16, 16, 16], depths=[1, 1, 1, 1])),
    _own("segmentation-models-pytorch", "segmentation_models_pytorch:Unet", "masks", CHANNELS,
         encoder_name="resnet18", encoder_weights=None, encoder_depth=3, decoder_channels=[32, 16, 8],
         in_channels="infer num_channels", classes="infer num_classes"),
    _own("segmentation-models-pytorch", "segmentation_models_pytorch:FPN", "masks", CHANNELS,
         encoder_name="resnet18", encoder_weights=None, encoder_depth=3, upsampling=1,
         in_channels="infer num_channels", classes="infer num_classes"),
    _own("monai", "monai.networks.nets:UNet", "masks", CHANNELS, spatial_dims=2, in_channels="infer num_channels",
         out_channels="infer num_classes", channels=[8, 16, 16], strides=[2, 2]),
    _own("monai", "monai.networks.nets:DenseNet121", "digits", CHANNELS, spatial_dims=2,
         in_channels="infer num_channels", out_channels="infer num_classes"),
    _own("tabm", "tabm:TabM", "table", n_num_features="infer num_features", d_out="infer num_classes", k=4,
         n_blocks=2, d_block=32, dropout=0.0, arch_type="tabm", start_scaling_init="random-signs", output="mean"),
    _own("rtdl_revisiting_models", "rtdl_revisiting_models:MLP", "table", d_in="infer num_features",
         d_out="infer num_classes", n_blocks=2, d_block=32, dropout=0.1),
    _own("rtdl_revisiting_models", "rtdl_revisiting_models:ResNet", "table", d_in="infer num_features",
         d_out="infer num_classes", n_blocks=2, d_block=32, d_hidden_multiplier=2.0, dropout1=0.1, dropout2=0.0),
    _own("rtdl_revisiting_models", "rtdl_revisiting_models:FTTransformer", "table",
         n_cont_features="infer num_features", cat_cardinalities=[], d_out="infer num_classes", n_blocks=2, d_block=32,
         attention_n_heads=4, attention_dropout=0.1, ffn_d_hidden=None, ffn_d_hidden_multiplier=2.0, ffn_dropout=0.1,
         residual_dropout=0.0),
    _own("pytorch-tcn", "pytorch_tcn:TCN", "digits", {"layout": "lines"}, num_inputs=8, num_channels=[16, 16],
         output_projection=10),
)  # fmt: skip
