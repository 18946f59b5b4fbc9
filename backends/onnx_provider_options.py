"""Options that a suite may pass to a provider, and the values they take: data only.

Most providers ignore an unknown option or value without a word (QNN 2.7, CUDA 1.31), or are left out of the session
because of it (OpenVINO 1.24), so only what is written here is passed on. Sources: the page of each provider in
ONNX Runtime's documentation, and the names found in the libraries of the wheels.
"""

from __future__ import annotations

from collections.abc import Mapping

Values = tuple[str, ...]

ANY: Values = ()
NUMBER: Values = ("a whole number",)
BOOLEAN: Values = ("0", "1", "true", "false", "True", "False")
FLAG: Values = ("0", "1")
_ARENA: Values = ("kNextPowerOfTwo", "kSameAsRequested")

# ONNX Runtime's name of a provider -> option -> values.
PROVIDER_OPTIONS: Mapping[str, Mapping[str, Values]] = {
    "CUDAExecutionProvider": {
        "arena_extend_strategy": _ARENA,
        "cudnn_conv1d_pad_to_nc1d": FLAG,
        "cudnn_conv_algo_search": ("EXHAUSTIVE", "HEURISTIC", "DEFAULT"),
        "cudnn_conv_use_max_workspace": FLAG,
        "do_copy_in_default_stream": FLAG,
        "fuse_conv_bias": FLAG,
        "gpu_mem_limit": NUMBER,
        "prefer_nhwc": FLAG,
        "tunable_op_enable": FLAG,
        "tunable_op_tuning_enable": FLAG,
        "use_ep_level_unified_stream": FLAG,
    },
    "TensorrtExecutionProvider": {
        "trt_auxiliary_streams": NUMBER,
        "trt_build_heuristics_enable": BOOLEAN,
        "trt_builder_optimization_level": ("0", "1", "2", "3", "4", "5"),
        "trt_context_memory_sharing_enable": BOOLEAN,
        "trt_dla_core": NUMBER,
        "trt_dla_enable": BOOLEAN,
        "trt_force_sequential_engine_build": BOOLEAN,
        "trt_max_partition_iterations": NUMBER,
        "trt_max_workspace_size": NUMBER,
        "trt_min_subgraph_size": NUMBER,
        "trt_op_types_to_exclude": ANY,
        "trt_profile_max_shapes": ANY,
        "trt_profile_min_shapes": ANY,
        "trt_profile_opt_shapes": ANY,
        "trt_sparsity_enable": BOOLEAN,
        "trt_tactic_sources": ANY,
    },
    "NvTensorRTRTXExecutionProvider": {
        "nv_max_workspace_size": NUMBER,
        "nv_op_types_to_exclude": ANY,
        "nv_profile_max_shapes": ANY,
        "nv_profile_min_shapes": ANY,
        "nv_profile_opt_shapes": ANY,
    },
    "MIGraphXExecutionProvider": {
        "migraphx_arena_extend_strategy": FLAG,
        "migraphx_exhaustive_tune": FLAG,
        "migraphx_mem_limit": NUMBER,
    },
    "OpenVINOExecutionProvider": {
        "disable_dynamic_shapes": ("true", "false"),
        "enable_opencl_throttling": ("true", "false"),
        "enable_qdq_optimizer": ("true", "false"),
        "layout": ANY,
        "load_config": ANY,
        "model_priority": ("LOW", "MEDIUM", "HIGH", "DEFAULT"),
        "num_streams": ("1", "2", "3", "4", "5", "6", "7", "8"),
        "reshape_input": ANY,
    },
    "QNNExecutionProvider": {
        "enable_htp_shared_memory_allocator": FLAG,
        "enable_htp_spill_fill_buffer": FLAG,
        "enable_vtcm_backup_buffer_sharing": FLAG,
        "extended_udma": FLAG,
        "htp_arch": ("0", "68", "69", "73", "75", "79", "81"),
        "htp_graph_finalization_optimization_mode": ("0", "1", "2", "3"),
        "htp_performance_mode": (
            "burst", "balanced", "default", "high_performance", "high_power_saver", "low_balanced",
            "extreme_power_saver", "low_power_saver", "power_saver", "sustained_high_performance",
        ),
        "offload_graph_io_quantization": FLAG,
        "qnn_context_priority": ("low", "normal", "normal_high", "high"),
        "rpc_control_latency": NUMBER,
        "soc_model": NUMBER,
        "vtcm_mb": NUMBER,
    },
    "VitisAIExecutionProvider": {"config_file": ANY, "target": ANY, "xclbin": ANY},
    "CoreMLExecutionProvider": {
        "EnableOnSubgraphs": FLAG,
        "RequireStaticInputShapes": FLAG,
        "SpecializationStrategy": ("Default", "FastPrediction"),
    },
    "DmlExecutionProvider": {
        "disable_metacommands": BOOLEAN,
        "performance_preference": ("default", "high_performance", "minimum_power"),
    },
    "CANNExecutionProvider": {
        "arena_extend_strategy": _ARENA,
        "enable_cann_graph": FLAG,
        "enable_cann_subgraph": FLAG,
        "npu_mem_limit": NUMBER,
        "op_select_impl_mode": ("high_precision", "high_performance"),
        "optypelist_for_implmode": ANY,
    },
    "WebGpuExecutionProvider": {
        "dawnBackendType": ("Vulkan", "D3D12"),
        "powerPreference": ("high-performance", "low-power"),
        "preferredLayout": ("NHWC", "NCHW"),
        "validationMode": ("disabled", "wgpuOnly", "basic", "full"),
    },
}  # fmt: skip

_DEVICE = "the device says it (--device)"
_PRECISION = "the case's precision says it"
_CACHE = "option ep_context says it"
_GRAPH = "option cuda_graph says it"
# Options that would change what a result is of: chipmark sets them itself.
RESERVED: Mapping[str, str] = {
    **dict.fromkeys(("device_id", "device_type", "backend_type", "backend_path", "MLComputeUnits"), _DEVICE),
    **dict.fromkeys(("deviceId", "device_luid"), _DEVICE),
    **dict.fromkeys(("precision", "precision_mode", "use_tf32", "enable_htp_fp16_precision"), _PRECISION),
    **dict.fromkeys(("trt_fp16_enable", "trt_bf16_enable", "trt_int8_enable", "trt_fp8_enable"), _PRECISION),
    **dict.fromkeys(("migraphx_fp16_enable", "migraphx_bf16_enable", "migraphx_fp8_enable"), _PRECISION),
    **dict.fromkeys(("migraphx_int8_enable", "AllowLowPrecisionAccumulationOnGPU", "htp_bf16_enable"), _PRECISION),
    **dict.fromkeys(("cache_dir", "cache_key", "trt_engine_cache_enable", "trt_engine_cache_path"), _CACHE),
    **dict.fromkeys(("trt_timing_cache_enable", "trt_timing_cache_path", "nv_runtime_cache_path"), _CACHE),
    **dict.fromkeys(("migraphx_model_cache_dir", "ModelCacheDirectory"), _CACHE),
    **dict.fromkeys(("enable_cuda_graph", "trt_cuda_graph_enable"), _GRAPH),
    "num_of_threads": "option threads says it",
    "intra_op_num_threads": "option threads says it",
}
