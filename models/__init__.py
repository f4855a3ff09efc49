"""What couriers will do: features, calibrated acceptance, honest evaluation, safe artefacts."""

from models.acceptance import AcceptanceModel, CalibrationReport, LogSummary, train
from models.calibration import IsotonicCalibration, SigmoidCalibration, choose_calibration
from models.columns import RAW_COLUMNS, VEHICLES, RawColumn, forbidden_columns
from models.errors import ArtefactError, FeatureError, ModelError, NotFittedError, TrainingError
from models.evaluation import Metric, evaluate_probabilities, group_folds, split_by_time
from models.explain import contributions
from models.features import (
    CATALOGUE,
    FeatureSchema,
    FeatureSpec,
    build_matrix,
    default_schema,
)
from models.history import HistoryPrior
from models.log import OffersLog, read_log
from models.pairs import PairColumns
from models.params import AcceptanceParams
from models.persistence import load, save

__all__ = [
    "CATALOGUE",
    "RAW_COLUMNS",
    "VEHICLES",
    "AcceptanceModel",
    "AcceptanceParams",
    "ArtefactError",
    "CalibrationReport",
    "FeatureError",
    "FeatureSchema",
    "FeatureSpec",
    "HistoryPrior",
    "IsotonicCalibration",
    "LogSummary",
    "Metric",
    "ModelError",
    "NotFittedError",
    "OffersLog",
    "PairColumns",
    "RawColumn",
    "SigmoidCalibration",
    "TrainingError",
    "build_matrix",
    "choose_calibration",
    "contributions",
    "default_schema",
    "evaluate_probabilities",
    "forbidden_columns",
    "group_folds",
    "load",
    "read_log",
    "save",
    "split_by_time",
    "train",
]
