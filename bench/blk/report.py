#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0
#
# usage: report.py RESULTS [JSON]
#
# The table of bench-blk, and for programs a file with the same: medians of the runs, and
# of the operations a second also the smallest and the largest. A line of RESULTS is
#   peer test vcpus iops p50_us p99_us p999_us max_us operations interrupts exits
import json
import statistics
import sys

runs = {}
for line in open(sys.argv[1]):
    peer, test, vcpus, *numbers = line.split()
    iops, p50, p99, p999, longest, ios, irqs, exits = map(float, numbers)
    runs.setdefault((test, int(vcpus), peer), []).append(
        (iops, p50, p99, p999, longest, exits / ios, irqs / ios))
if not runs:
    sys.exit("no results in " + sys.argv[1])

rows = []
for (test, vcpus, peer), values in runs.items():
    iops, p50, p99, p999, longest, exits, irqs = zip(*values)
    rows.append({
        "peer": peer, "test": test, "vcpus": vcpus, "runs": len(values),
        "iops_median": round(statistics.median(iops)),
        "iops_min": round(min(iops)), "iops_max": round(max(iops)),
        "p50_us": round(statistics.median(p50), 1),
        "p99_us": round(statistics.median(p99), 1),
        "p999_us": round(statistics.median(p999), 1),
        "max_us": round(statistics.median(longest), 1),
        "exits_per_op": round(statistics.median(exits), 3),
        "irqs_per_op": round(statistics.median(irqs), 3),
    })
rows.sort(key=lambda r: (r["vcpus"], r["test"], r["peer"] != "vbus", r["peer"]))

print("%-12s %5s  %-11s %8s %19s %9s %9s %9s %9s %8s %8s %7s" % (
    "test", "vCPUs", "peer", "IOPS", "(min to max)", "p50 us", "p99 us", "p99.9 us",
    "longest", "exits/op", "irqs/op", "ratio"))
ours = {(r["test"], r["vcpus"]): r for r in rows if r["peer"] == "vbus"}
for r in rows:
    mine = ours.get((r["test"], r["vcpus"]))
    ratio = "" if r["peer"] == "vbus" or not mine else \
        "%.2f" % (mine["iops_median"] / r["iops_median"])
    print("%-12s %5d  %-11s %8d %19s %9.1f %9.1f %9.1f %9.1f %8.2f %8.2f %7s" % (
        r["test"], r["vcpus"], r["peer"], r["iops_median"],
        "(%d to %d)" % (r["iops_min"], r["iops_max"]), r["p50_us"], r["p99_us"],
        r["p999_us"], r["max_us"], r["exits_per_op"], r["irqs_per_op"], ratio))
print("ratio: operations a second of vbus over those of the peer")

if len(sys.argv) > 2:
    with open(sys.argv[2], "w") as f:
        json.dump({"blk": rows}, f, indent=1)
        f.write("\n")
