#include "nearest.hpp"

#include <algorithm>
#include <numeric>
#include <vector>

namespace runner {
namespace {

struct Candidate {
  std::string name;
  std::string usage;  ///< the whole way there, as it would be typed
};

std::size_t edit_distance(const std::string& a, const std::string& b) {
  std::vector<std::size_t> row(b.size() + 1);
  std::iota(row.begin(), row.end(), std::size_t{0});
  for (std::size_t i = 0; i < a.size(); ++i) {
    std::size_t diagonal = row[0];
    row[0] = i + 1;
    for (std::size_t j = 0; j < b.size(); ++j) {
      const std::size_t substituted = diagonal + (a[i] == b[j] ? 0 : 1);
      diagonal = row[j + 1];
      row[j + 1] = std::min({row[j] + 1, row[j + 1] + 1, substituted});
    }
  }
  return row.back();
}

void collect(const Argument& at, const std::string& way, std::vector<Candidate>& found) {
  for (const auto& child : at.children) {
    if (child.kind == Argument::Kind::group) {
      found.push_back({child.name, way + child.name});
      collect(child, way + child.name + " ", found);
      continue;
    }
    found.push_back({child.name, way + child.name + "=" + placeholder(child)});
    if (child.kind != Argument::Kind::choice) {
      continue;
    }
    const auto collect_alternative = [&](const Argument& alternative) {
      const std::string usage = way + child.name + "=" + alternative.name;
      found.push_back({alternative.name, usage});
      collect(alternative, usage + " ", found);
    };
    collect_alternative(child.chosen());  // first, since of two that are as near the first one is taken
    for (const auto& alternative : child.children) {
      if (&alternative != &child.chosen()) {
        collect_alternative(alternative);
      }
    }
  }
}

}  // namespace

std::string unknown_argument(const std::string& token, const std::string& name, const Argument& root,
                             const std::string& context) {
  std::vector<Candidate> candidates;
  collect(root, "", candidates);
  const auto nearest = std::min_element(
      candidates.begin(), candidates.end(), [&name](const Candidate& one, const Candidate& other) {
        return edit_distance(name, one.name) < edit_distance(name, other.name);
      });
  if (nearest->name == name) {
    return "'" + token + "' is misplaced: it belongs in '" + nearest->usage +
           "', before any argument of another group";
  }
  const std::string where = context.empty() ? "" : " after '" + context + "'";
  return "'" + token + "' is not a known argument" + where + "; the nearest is '" + nearest->name + "', as in '" +
         nearest->usage + "'";
}

}  // namespace runner
