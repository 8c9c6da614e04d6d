// Mean-field updates of a block model's assignments, node by node, where sources and targets share one partition.
//
// Rows of q are padded with zeros to a multiple of eight blocks, so that the compiler's vectors fit.

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <cstring>
#include <vector>

namespace {

struct Sparse {  // CSR
    const std::int64_t* starts;
    const std::int32_t* columns;
    const double* values;
};

struct Problem {
    std::int64_t n_nodes, n_blocks, width, directed;
    Sparse out, into;            // weights, without the diagonal
    Sparse lost_out, lost_into;  // pairs that are not observed, with the other end's exposure
    const double *out_exposure, *in_exposure;
    const double *loops, *own;  // weight and exposure of each node's pair with itself
    // n_blocks x width: [l, k] what a unit of weight, or of exposure, to targets in l, or from sources in l, adds to a
    // node's score of k.
    const double *weight_out, *weight_into, *exposure_out, *exposure_into;
    const double *weight_own, *exposure_own;  // width each: the same of pairs with itself
    const double* shares;
    double inverse_temperature;
};

template <int WIDTH>  // 0: known at run time
void add_neighbours(const Sparse& links, std::int64_t node, const double* q, int width, double* sums) {
    const int size = WIDTH ? WIDTH : width;
    const std::int64_t last = links.starts[node + 1];
    for (std::int64_t at = links.starts[node]; at < last; ++at) {
        if (at + 8 < last) __builtin_prefetch(q + static_cast<std::int64_t>(links.columns[at + 8]) * size);
        const double value = links.values[at];
        const double* row = q + static_cast<std::int64_t>(links.columns[at]) * size;
        for (int k = 0; k < size; ++k) sums[k] += value * row[k];
    }
}

// scores[k] += sum_l matrix[l, k] * vector[l]
void add_product(const double* matrix, const double* vector, int n_blocks, int width, double* scores) {
    for (int l = 0; l < n_blocks; ++l) {
        const double value = vector[l];
        const double* row = matrix + static_cast<std::int64_t>(l) * width;
        for (int k = 0; k < width; ++k) scores[k] += value * row[k];
    }
}

constexpr double LOWEST = -690.0;  // what lies below would be denormal, and slow

// The row of q in proportion to exp(scores); returns its entropy.
double normalise(const double* scores, int n_blocks, double* row) {
    const double top = *std::max_element(scores, scores + n_blocks);
    double total = 0.0, mean = 0.0;
    for (int k = 0; k < n_blocks; ++k) {
        const double score = scores[k] - top;
        row[k] = score < LOWEST ? 0.0 : std::exp(score);
        total += row[k];
        mean += row[k] == 0.0 ? 0.0 : row[k] * score;
    }
    for (int k = 0; k < n_blocks; ++k) row[k] /= total;
    return std::log(total) - mean / total;
}

template <int WIDTH>
double sweep(const Problem& p, double* q) {
    const int width = WIDTH ? WIDTH : static_cast<int>(p.width), n_blocks = static_cast<int>(p.n_blocks);
    std::vector<double> memory(static_cast<std::size_t>(width) * 7, 0.0);
    double *sources = memory.data(), *targets = sources + width, *sums = targets + width, *rest = sums + width,
           *lost = rest + width, *scores = lost + width, *before = scores + width;
    for (std::int64_t i = 0; i < p.n_nodes; ++i) {
        for (int k = 0; k < width; ++k) {
            sources[k] += p.out_exposure[i] * q[i * width + k];
            targets[k] += p.in_exposure[i] * q[i * width + k];
        }
    }
    const auto add_side = [&](const Sparse& links, const Sparse& hidden, const double* weight, const double* exposure,
                              const double* totals, double own, double others, std::int64_t i) {
        std::memset(sums, 0, sizeof(double) * width);
        std::memset(lost, 0, sizeof(double) * width);
        add_neighbours<WIDTH>(links, i, q, width, sums);
        add_neighbours<WIDTH>(hidden, i, q, width, lost);
        for (int k = 0; k < width; ++k) rest[k] = own * std::max(0.0, totals[k] - others * before[k] - lost[k]);
        add_product(weight, sums, n_blocks, width, scores);
        add_product(exposure, rest, n_blocks, width, scores);
    };
    double entropy = 0.0;
    for (std::int64_t i = 0; i < p.n_nodes; ++i) {
        double* row = q + i * width;
        const double out = p.out_exposure[i], in = p.in_exposure[i];
        std::memcpy(before, row, sizeof(double) * width);
        for (int k = 0; k < width; ++k) scores[k] = p.shares[k] + p.loops[i] * p.weight_own[k] + p.own[i] * p.exposure_own[k];
        add_side(p.out, p.lost_out, p.weight_out, p.exposure_out, targets, out, in, i);
        if (p.directed) add_side(p.into, p.lost_into, p.weight_into, p.exposure_into, sources, in, out, i);
        for (int k = 0; k < width; ++k) scores[k] *= p.inverse_temperature;
        entropy += normalise(scores, n_blocks, row);
        for (int k = 0; k < width; ++k) {
            sources[k] += out * (row[k] - before[k]);
            targets[k] += in * (row[k] - before[k]);
        }
    }
    return entropy;
}

}  // namespace

extern "C" {

// Set every row of q in its turn, n_nodes x width; returns the sum of their entropies.
double sweep_nodes(const Problem* problem, double* q) {
    switch (problem->width) {
        case 8: return sweep<8>(*problem, q);
        case 16: return sweep<16>(*problem, q);
        case 24: return sweep<24>(*problem, q);
        case 32: return sweep<32>(*problem, q);
        default: return sweep<0>(*problem, q);
    }
}
}
