"""What couriers will do: features, calibrated acceptance, honest evaluation, safe artefacts."""

from models.acceptance import AcceptanceModel
from models.calibration import (
    BetaCalibration,
    CalibrationReport,
    IsotonicCalibration,
    SigmoidCalibration,
    choose_calibration,
)
from models.card import model_card, model_card_markdown
from models.columns import RAW_COLUMNS, VEHICLES, RawColumn, forbidden_columns
from models.drift import DriftReport, check_drift
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
from models.forest import Forest
from models.history import HistoryPrior
from models.leakage import leakage_problems, split_problems
from models.log import LogSummary, OffersLog, read_log
from models.pairs import PairColumns
from models.params import AcceptanceParams
from models.past import past_counts
from models.persistence import load, save
from models.reasons import Reason, reason_codes
from models.reference import FeatureReference
from models.reliability import ReliabilityRow, reliability_by_probability, reliability_by_slice
from models.training import train
from models.tuning import Trial, tune
from models.uplift import (
    AcceptanceClaim,
    Candidates,
    claim_acceptance,
    doubly_robust,
    fold_pair_probabilities,
    fold_probabilities,
)

__all__ = [
    "CATALOGUE",
    "RAW_COLUMNS",
    "VEHICLES",
    "AcceptanceClaim",
    "AcceptanceModel",
    "AcceptanceParams",
    "ArtefactError",
    "BetaCalibration",
    "CalibrationReport",
    "Candidates",
    "DriftReport",
    "FeatureError",
    "FeatureReference",
    "FeatureSchema",
    "FeatureSpec",
    "Forest",
    "HistoryPrior",
    "IsotonicCalibration",
    "LogSummary",
    "Metric",
    "ModelError",
    "NotFittedError",
    "OffersLog",
    "PairColumns",
    "RawColumn",
    "Reason",
    "ReliabilityRow",
    "SigmoidCalibration",
    "TrainingError",
    "Trial",
    "build_matrix",
    "check_drift",
    "choose_calibration",
    "claim_acceptance",
    "contributions",
    "default_schema",
    "doubly_robust",
    "evaluate_probabilities",
    "fold_pair_probabilities",
    "fold_probabilities",
    "forbidden_columns",
    "group_folds",
    "leakage_problems",
    "load",
    "model_card",
    "model_card_markdown",
    "past_counts",
    "read_log",
    "reason_codes",
    "reliability_by_probability",
    "reliability_by_slice",
    "save",
    "split_by_time",
    "split_problems",
    "train",
    "tune",
]
