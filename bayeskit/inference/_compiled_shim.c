/* Calls a density that was compiled ahead of time, as nutpie's sampler asks for it: without Python and its lock.

   The compiled graph has PyTorch's C interface (torch/csrc/inductor/aoti_runtime/interface.h). Its functions, and those
   for tensors, come as addresses, so that nothing of PyTorch is needed to compile this file. */

#include <math.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <time.h>

enum { MOST_DATA = 1024 };
/* Of an evaluation. The sampler ends a trajectory as a divergence at all but the first. */
enum { GOOD, FAILED, STOPPED, NO_GRADIENT, OUTSIDE, INFINITE, BROKEN };

typedef void *Tensor;

typedef struct {
    int32_t (*wrap)(void *, int64_t, const int64_t *, const int64_t *, int64_t, int32_t, int32_t, int32_t, Tensor *);
    int32_t (*share)(Tensor, Tensor *);
    int32_t (*numbers)(Tensor, void **);
    int32_t (*drop)(Tensor);
    int32_t (*run)(void *, Tensor *, size_t, Tensor *, size_t, void *, void *);
    void (*use_threads)(int32_t);
    void *graph;
    Tensor *data;
    double *where; /* the point at which it went wrong */
    int64_t n_data;
    int64_t warmup; /* iterations */
    int32_t type, device;
    volatile int64_t draws;
    volatile int64_t stop;
    volatile int64_t wrong; /* status of the first evaluation after which the chain has to end */
    double warmed_up; /* seconds of the machine's clock */
} Chain;

static int64_t went_wrong(Chain *chain, uint64_t n_dims, const double *point, int64_t status) {
    if (!chain->wrong) memcpy(chain->where, point, n_dims * sizeof(double));
    if (!chain->wrong) chain->wrong = status;
    return status;
}

/* Returns the status. */
int64_t log_density(uint64_t n_dims, const double *point, double *gradient, double *value, void *given) {
    Chain *chain = given;
    Tensor in[1 + MOST_DATA], out[2];
    const int64_t size = (int64_t)n_dims, stride = 1;
    void *numbers;
    if (chain->stop) return STOPPED;
    if (chain->n_data > MOST_DATA) return went_wrong(chain, n_dims, point, BROKEN);
    if (chain->use_threads) chain->use_threads(1);
    if (chain->wrap((void *)point, 1, &size, &stride, 0, chain->type, chain->device, 0, &in[0]))
        return went_wrong(chain, n_dims, point, BROKEN);
    for (int64_t place = 0; place < chain->n_data; place++)
        if (chain->share(chain->data[place], &in[1 + place])) return went_wrong(chain, n_dims, point, BROKEN);
    if (chain->run(chain->graph, in, 1 + (size_t)chain->n_data, out, 2, NULL, NULL)) return FAILED;
    chain->numbers(out[0], &numbers);
    *value = *(double *)numbers;
    chain->numbers(out[1], &numbers);
    memcpy(gradient, numbers, n_dims * sizeof(double));
    chain->drop(out[0]);
    chain->drop(out[1]);
    if (*value == INFINITY) return went_wrong(chain, n_dims, point, INFINITE);
    if (!isfinite(*value)) return OUTSIDE;
    for (uint64_t place = 0; place < n_dims; place++)
        if (!isfinite(gradient[place])) return NO_GRADIENT;
    return GOOD;
}

/* Keeps a draw as it is, and counts it. */
int64_t keep(uint64_t n_dims, uint64_t n_kept, const double *point, double *kept, void *given) {
    Chain *chain = given;
    struct timespec now;
    memcpy(kept, point, n_kept * sizeof(double));
    if (++chain->draws == chain->warmup) {
        clock_gettime(CLOCK_MONOTONIC, &now);
        chain->warmed_up = (double)now.tv_sec + 1e-9 * (double)now.tv_nsec;
    }
    return 0;
}

/* Evaluates many times over, to be timed. */
int64_t repeat(uint64_t n_dims, const double *point, double *gradient, double *value, void *given, int64_t times) {
    int64_t status = GOOD;
    for (int64_t time = 0; time < times && status == GOOD; time++)
        status = log_density(n_dims, point, gradient, value, given);
    return status;
}
