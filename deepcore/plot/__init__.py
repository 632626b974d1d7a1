"""Pictures of training and of models, by Matplotlib, and a report of a run as one page of HTML.

Every function draws into the axes that it is given, or into new ones, and returns them. The colours can be told apart
by colour-blind readers and read on white and on black; text is in the colour of the style that Matplotlib has.
"""

from .boundary import decision_boundary as decision_boundary
from .confusion import confusion_matrix as confusion_matrix
from .curves import curves as curves
from .curves import history_figure as history_figure
from .distributions import activations as activations
from .distributions import weights as weights
from .filters import filters as filters
from .prediction_error import prediction_error as prediction_error
from .report import report as report
