// Stands for the header of this name in CUDA's compiler, which is not installed: what plain C needs of it to read cupti.h.
#define __host__
#define __device_builtin__
#define __cudart_builtin__
#define __align__(n) __attribute__((aligned(n)))
#define __builtin_align__(n) __align__(n)
#define CUDARTAPI
