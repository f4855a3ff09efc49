"""Contributions add up to the score and agree with an independent implementation."""

from __future__ import annotations

from copy import copy
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from models import AcceptanceModel, contributions

Columns = dict[str, NDArray[np.float64]]


def test_contributions_add_up_to_the_raw_score(model: AcceptanceModel, columns: Columns) -> None:
    found = contributions(model, columns)
    assert found.shape == (50, len(model.schema_.names) + 1)
    scores = model.ensemble_.score(model.matrix(columns))
    np.testing.assert_allclose(found.sum(axis=1), scores, rtol=0.0, atol=1e-9)


def test_contributions_of_a_city_add_up_to_the_score_of_the_city(
    model: AcceptanceModel, columns: Columns
) -> None:
    everywhere = copy(model)
    everywhere.city_ensembles_ = {"here": model.fold_ensembles_[0]}
    here, matrix = everywhere.of_city("here"), model.matrix(columns)
    scores = model.ensemble_.score(matrix) + model.fold_ensembles_[0].score(matrix)
    np.testing.assert_allclose(contributions(here, columns).sum(axis=1), scores, atol=1e-9)


@pytest.mark.filterwarnings("ignore::PendingDeprecationWarning", "ignore:LightGBM binary")
def test_contributions_agree_with_shap(model: AcceptanceModel, columns: Columns) -> None:
    import shap

    explainer: Any = shap.TreeExplainer(
        model.ensemble_.booster, feature_perturbation="tree_path_dependent"
    )
    matrix = model.matrix(columns)[:5]
    np.testing.assert_allclose(
        contributions(model, columns)[:5, :-1], explainer.shap_values(matrix), atol=1e-6
    )


def test_no_rows_have_no_contributions(model: AcceptanceModel, columns: Columns) -> None:
    none = contributions(model, {name: values[:0] for name, values in columns.items()})
    assert none.shape == (0, len(model.schema_.names) + 1)
