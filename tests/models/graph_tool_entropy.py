"""Description lengths by graph-tool, for the system's python: reads JSON of graphs with partitions, writes numbers."""

import json
import sys

import graph_tool
from graph_tool.inference import BlockState

found = []
for case in json.load(sys.stdin):
    graph = graph_tool.Graph(directed=case["directed"])
    graph.add_vertex(len(case["blocks"]))
    graph.add_edge_list(case["edges"])
    blocks = graph.new_vertex_property("int", vals=case["blocks"])
    found.append(BlockState(graph, b=blocks, deg_corr=case["degree_corrected"]).entropy())
json.dump({"version": graph_tool.__version__, "entropies": found}, sys.stdout)
