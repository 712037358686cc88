#!/usr/bin/env python3
"""Trains the model of test_model.c and writes what XGBoost's own Python package scores with it.

usage: make_model.py     (needs python3-xgboost; writes models/fraud.json, models/other.json, models/classes.json and model_cases.h beside itself)"""
import os

import numpy
import xgboost

HERE = os.path.dirname(os.path.abspath(__file__))
NAMES = ["amount", "hour", "new_device", "distance"]


def train(path, seed, rounds, names=NAMES, **params):
    random = numpy.random.default_rng(seed)
    rows = numpy.column_stack([random.lognormal(4, 1.5, 2000), random.integers(0, 24, 2000), random.integers(0, 2, 2000), random.exponential(100, 2000)]).astype("float32")
    rows[random.random(rows.shape) < 0.05] = numpy.nan
    odds = 0.002 * numpy.nan_to_num(rows[:, 0]) + 1.5 * numpy.nan_to_num(rows[:, 2]) + 0.005 * numpy.nan_to_num(rows[:, 3]) - 3
    label = (random.random(2000) < 1 / (1 + numpy.exp(-odds))).astype(int)
    if params.get("objective") == "multi:softprob":
        label = label + (rows[:, 1] > 12)
    booster = xgboost.train(dict({"objective": "binary:logistic", "max_depth": 3, "eta": 0.3, "seed": seed}, **params), xgboost.DMatrix(rows, label, feature_names=names), rounds)
    booster.save_model(os.path.join(HERE, "models", path))
    return booster


def main():
    booster = train("fraud.json", 1, 12)
    other = train("other.json", 2, 5)
    train("classes.json", 3, 2, objective="multi:softprob", num_class=3)
    random = numpy.random.default_rng(9)
    rows = numpy.column_stack([random.lognormal(4, 1.5, 40), random.integers(0, 24, 40), random.integers(0, 2, 40), random.exponential(100, 40)]).astype("float32")
    rows[random.random(rows.shape) < 0.15] = numpy.nan
    scores = [model.predict(xgboost.DMatrix(rows, feature_names=NAMES)) for model in (booster, other)]
    with open(os.path.join(HERE, "model_cases.h"), "w") as out:
        out.write("/* Written by make_model.py: rows, and what XGBoost's Python package makes of them. */\n#ifndef TESTS_UNIT_ENRICHMENT_MODEL_CASES_H\n"
                  "#define TESTS_UNIT_ENRICHMENT_MODEL_CASES_H\n\n#include <math.h>\n\n"
                  "static const struct model_case { double amount, hour, new_device, distance; double fraud, other; } model_cases[] = {\n")
        for row, fraud, second in zip(rows, *scores):
            out.write("    { %s, %.9g, %.9g },\n" % (", ".join("NAN" if numpy.isnan(v) else "%.9g" % v for v in row), fraud, second))
        out.write("};\n#endif\n")


main()
