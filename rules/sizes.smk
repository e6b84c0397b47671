# What the rules of scale share: maps of synthetic cells by size and task, and what each is made of.

SCALE = config.get("scale", {})
SYNTHETIC = synthetic_grids(SCALE)
SCALED = [
    {
        "name": map_of(task, cells),
        "task": task,
        "cells": cells,
        "tiles": len(tiles_of(map_of(task, cells))),
        "measured": measured_tiles(SCALE, task, cells),
    }
    for task in SCALE.get("tasks", {})
    for cells in SCALE["cells"]
]
ON_CORES = map_of(CORES, SCALE["cores"]["cells"]) if SCALE else "none"


def work_of(item):
    """Return the files that the work on a map makes; sums over regions where it is all done."""
    files = expand(
        f"{RUN}/products/{item['name']}/tiles/{{tile}}.nc", tile=item["measured"]
    )
    whole = len(item["measured"]) == item["tiles"]
    return [*files, f"{RUN}/products/{item['name']}/regions.csv"] if whole else files


# Kernels are compiled with the smallest maps, so that none is when the larger ones are measured.
COMPILED = [
    file
    for item in SCALED
    if item["cells"] == SCALE["cells"][0]
    for file in work_of(item)
]
