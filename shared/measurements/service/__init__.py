"""What writes measurements: parts of batches, rows that are sent again, counts that are calibrated anew."""

from shared.measurements.service.processing import Processor, Quarantine
from shared.measurements.service.recalibration import Recalibration
from shared.measurements.service.resubmission import Resubmission

__all__ = ["Processor", "Quarantine", "Recalibration", "Resubmission"]
