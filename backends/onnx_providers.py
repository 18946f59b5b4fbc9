"""The execution providers of ONNX Runtime that chipmark knows: one row each.

Sources: the pages "Execution Providers" and "Install ONNX Runtime" of ONNX Runtime's documentation, and the
wheels' own metadata. Types of quantized graphs: "Quantize ONNX models" there, and what each row says.
"""

from __future__ import annotations

from backends.onnx_provider_row import ProviderRow, Target

NOT_YET = "not yet"

# fmt: off
CPU = ProviderRow(
    name="CPUExecutionProvider", short="cpu", title="CPU",
    vendor="any", chips="every CPU",
    package="onnxruntime", extra="onnx",
    system="Linux, Windows, macOS",
    targets=(Target("", "cpu", "CPU"),),
    # U8S8 saturates without VNNI (MLAS's AVX2 kernels add pairs of products in 16 bits).
    int8="by cpu",
    precisions="fp32, int8; fp16 only on Arm",
    is_cpu=True,
    mark="measured on hardware",
)
CUDA = ProviderRow(
    name="CUDAExecutionProvider", short="cuda", title="CUDA",
    vendor="NVIDIA", chips="NVIDIA GPUs, Jetson",
    package="onnxruntime-gpu", extra="onnx-gpu",
    needs="driver, CUDA and cuDNN of the wheel's major versions",
    targets=(Target("N", "cuda", "GPU", {"device_id": "{N}", "use_tf32": "0"}),),
    # FP32 products would be rounded to TF32 otherwise, which is its default.
    int8="S8S8",  # its quantized kernels take signed values only; other graphs are dequantized
    precisions="fp32, fp16, bf16",
    memory="cuda",
    cuda_graph="enable_cuda_graph",
    library="onnxruntime_providers_cuda",
    mark=NOT_YET,
)
TENSORRT = ProviderRow(
    name="TensorrtExecutionProvider", short="tensorrt", title="TensorRT",
    vendor="NVIDIA", chips="NVIDIA GPUs, Jetson",
    package="onnxruntime-gpu", extra="onnx-gpu",
    needs="what CUDA needs, and TensorRT's libraries",
    targets=(Target("N", "cuda", "GPU", {"device_id": "{N}"}),),
    int8="S8S8",  # symmetric, zero point 0 (TensorRT developer guide, explicit quantization)
    precisions="fp32, fp16, bf16, fp8, int8",
    fused=True,
    memory="cuda",
    ep_context=True,
    cache={
        "trt_engine_cache_enable": "1", "trt_engine_cache_path": "{folder}",
        "trt_timing_cache_enable": "1", "trt_timing_cache_path": "{folder}",
    },
    cuda_graph="trt_cuda_graph_enable",
    library="onnxruntime_providers_tensorrt",
    mark=NOT_YET,
)
TENSORRT_RTX = ProviderRow(
    name="NvTensorRTRTXExecutionProvider", short="tensorrt-rtx", title="TensorRT for RTX",
    vendor="NVIDIA", chips="NVIDIA RTX GPUs (Turing and newer)",
    package="onnxruntime-ep-nv-tensorrt-rtx", extra="onnx-tensorrt-rtx",
    is_plugin=True, plugin="onnxruntime_ep_nv_tensorrt_rtx",
    needs="NVIDIA driver",
    targets=(Target("N", "cuda", "GPU", {"device_id": "{N}"}),),
    int8="S8S8",  # as TensorRT
    precisions="fp32, fp16, bf16, fp8, int8",
    fused=True,
    memory="cuda",
    ep_context=True,
    cache={"nv_runtime_cache_path": "{folder}"},
    cuda_graph="enable_cuda_graph",
    mark=NOT_YET,
)
MIGRAPHX = ProviderRow(
    name="MIGraphXExecutionProvider", short="migraphx", title="MIGraphX",
    vendor="AMD", chips="AMD Instinct and Radeon GPUs",
    package="onnxruntime-migraphx", extra="onnx-migraphx",
    system="Linux",
    needs="ROCm with MIGraphX",
    targets=(Target("N", "rocm", "GPU", {"device_id": "{N}"}),),
    int8="S8S8",  # its INT8 products take signed operands
    precisions="fp32, fp16, bf16, fp8, int8",
    fused=True,
    library="onnxruntime_providers_migraphx",
    cache={"migraphx_model_cache_dir": "{folder}"},
    mark=NOT_YET,
)
OPENVINO = ProviderRow(
    name="OpenVINOExecutionProvider", short="openvino", title="OpenVINO",
    vendor="Intel", chips="CPUs, Intel GPUs, Core Ultra NPUs",
    package="onnxruntime-openvino", extra="onnx-openvino",
    plugin="onnxruntime_ep_openvino",
    needs="drivers of the GPU or NPU",
    targets=(
        Target("npu", "npu", "NPU", {"device_type": "NPU"}),
        Target("gpu", "xpu", "GPU", {"device_type": "GPU"}),
        Target("cpu", "cpu", "CPU", {"device_type": "CPU"}),
    ),
    # Unsigned activations, signed weights, as its own quantizer (NNCF) makes them. On CPUs without VNNI that
    # saturates as it does in ONNX Runtime (OpenVINO: "saturation (overflow) issue").
    int8="U8S8",
    precisions="fp32, int8; fp16 on GPU and NPU; bf16 on CPUs that have it",
    fused=True,
    # Its EPContext models of a CPU it does not read again, and its cache of a CPU it does not use (1.24).
    cache={"cache_dir": "{folder}"},
    threads="num_of_threads",
    is_cpu=True,
    library="onnxruntime_providers_openvino",
    mark="CPU: run on a CPU of another vendor; GPU, NPU: not yet",
)
QNN = ProviderRow(
    name="QNNExecutionProvider", short="qnn", title="QNN",
    vendor="Qualcomm", chips="Hexagon NPUs and Adreno GPUs of Snapdragon",
    package="onnxruntime-qnn", extra="onnx-qnn",
    is_plugin=True, plugin="onnxruntime_qnn",
    system="Windows, Linux and Android on Snapdragon; x86 Linux: simulator",
    needs="Snapdragon; on x86 the HTP library only simulates",
    targets=(
        Target("npu", "npu", "NPU", {"backend_type": "htp"}, {"backend_type": "htp"}),
        Target("gpu", "gpu", "GPU", {"backend_type": "gpu"}, {"backend_type": "gpu"}),
    ),
    # HTP takes unsigned activations; per-channel weights must be signed and symmetric (QNN operator definitions).
    # A product whose result is not quantized it dequantizes first (seen on the simulator).
    int8="U8S8U8",
    precisions="int8, fp16 (fp32 graphs as fp16); int16 activations",
    fused=True,
    ep_context=True,
    library="onnxruntime_providers_qnn",
    mark="run on the vendor's simulator only",
)
VITISAI = ProviderRow(
    name="VitisAIExecutionProvider", short="vitisai", title="Vitis AI",
    vendor="AMD", chips="Ryzen AI NPUs, Versal",
    package="",
    system="Windows, Linux",
    needs="the Ryzen AI installer, whose environment brings its own ONNX Runtime",
    targets=(Target("npu", "npu", "NPU"),),
    int8="S8S8S8",  # signed and symmetric, results too (Vitis AI user guide UG1414)
    precisions="int8, bf16",
    fused=True,
    cache={"cache_dir": "{folder}", "cache_key": "model"},
    library="onnxruntime_providers_vitisai",
    mark=NOT_YET,
)
COREML = ProviderRow(
    name="CoreMLExecutionProvider", short="coreml", title="Core ML",
    vendor="Apple", chips="Apple silicon: Neural Engine, GPU, CPU",
    package="onnxruntime", extra="onnx",
    system="macOS",
    targets=(
        Target("ane", "npu", "NPU", {"MLComputeUnits": "CPUAndNeuralEngine", "ModelFormat": "MLProgram"}),
        Target("gpu", "mps", "GPU", {"MLComputeUnits": "CPUAndGPU", "ModelFormat": "MLProgram"}),
        Target("cpu", "cpu", "CPU", {"MLComputeUnits": "CPUOnly", "ModelFormat": "MLProgram"}),
    ),
    int8="S8S8",  # takes no QDQ graph: those nodes stay on the CPU
    precisions="fp32, fp16",
    fused=True,
    is_cpu=True,
    cache={"ModelCacheDirectory": "{folder}"},
    mark=NOT_YET,
)
DIRECTML = ProviderRow(
    name="DmlExecutionProvider", short="directml", title="DirectML",
    vendor="Microsoft", chips="every DirectX 12 GPU; NPUs by their drivers",
    package="onnxruntime-directml", extra="onnx-directml",
    system="Windows",
    needs="a DirectX 12 driver",
    targets=(Target("N", "gpu", "GPU", {"device_id": "{N}"}),),
    int8="U8S8",
    precisions="fp32, fp16, int8",
    memory="dml",
    mark=NOT_YET,
)
CANN = ProviderRow(
    name="CANNExecutionProvider", short="cann", title="CANN",
    vendor="Huawei", chips="Ascend NPUs",
    package="onnxruntime-cann", extra="onnx-cann",
    system="Linux",
    needs="Ascend driver and CANN toolkit",
    targets=(Target("N", "npu", "NPU", {"device_id": "{N}"}),),
    int8="S8S8",  # AscendQuant gives signed values
    precisions="fp32, fp16, int8",
    fused=True,
    memory="cann",
    library="onnxruntime_providers_cann",
    mark=NOT_YET,
)
XNNPACK = ProviderRow(
    name="XnnpackExecutionProvider", short="xnnpack", title="XNNPACK",
    vendor="any", chips="Arm and x86 CPUs",
    package="",
    system="Android, iOS; elsewhere built from source",
    needs="a build of ONNX Runtime with it: no wheel has it",
    targets=(Target("", "cpu", "CPU"),),
    int8="by cpu",
    precisions="fp32, fp16, int8",
    is_cpu=True,
    threads="intra_op_num_threads",
    mark=NOT_YET,
)
WEBGPU = ProviderRow(
    name="WebGpuExecutionProvider", short="webgpu", title="WebGPU",
    vendor="any", chips="GPUs with Vulkan, Direct3D 12 or Metal",
    package="onnxruntime-ep-webgpu", extra="onnx-webgpu",
    is_plugin=True, plugin="onnxruntime_ep_webgpu",
    system="Linux, Windows, macOS",
    needs="a GPU driver with Vulkan, Direct3D 12 or Metal",
    targets=(Target("gpu", "gpu", "GPU"),),
    int8="U8U8",
    precisions="fp32, fp16",
    memory="webgpu",
    mark=NOT_YET,
)
NNAPI = ProviderRow(
    name="NnapiExecutionProvider", short="nnapi", title="NNAPI",
    vendor="Google", chips="NPUs, DSPs and GPUs of Android devices",
    package="",
    system="Android",
    needs="an Android build of ONNX Runtime; Android 15 deprecates NNAPI",
    targets=(Target("npu", "npu", "NPU"),),
    int8="U8U8U8",  # QUANT8_ASYMM, results too (Android NNAPI operand types)
    precisions="fp32, fp16, int8",
    fused=True,
    mark=NOT_YET,
)
HAILO = ProviderRow(
    name="HailoExecutionProvider", short="hailo", title="Hailo",
    vendor="Hailo", chips="Hailo-8, Hailo-10H",
    package="",
    system="Linux",
    needs="Hailo's fork of ONNX Runtime and HailoRT; models compiled by the Dataflow Compiler",
    targets=(Target("npu", "npu", "NPU"),),
    int8="U8S8",
    precisions="int8, int4 weights",
    fused=True,
    mark=NOT_YET,
)
# fmt: on

# In the order in which devices are preferred: own hardware first, what is for any hardware last.
ROWS: tuple[ProviderRow, ...] = (
    CUDA,
    TENSORRT,
    TENSORRT_RTX,
    MIGRAPHX,
    CANN,
    QNN,
    VITISAI,
    COREML,
    HAILO,
    NNAPI,
    OPENVINO,
    DIRECTML,
    WEBGPU,
    XNNPACK,
    CPU,
)
BY_NAME = {row.name: row for row in ROWS}
