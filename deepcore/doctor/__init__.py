"""What is wrong with an installation, what that means, and the command that mends it.

>>> from deepcore import doctor
>>> [finding.subject for finding in doctor.check_blas("scipy-openblas", "0.3.29")]
['BLAS']

`look` gathers what can be known of this machine, and `examine` applies every check to it. A check is a function of
what it looks at, and nothing else.
"""

from .examine import examine as examine
from .finding import VERDICTS as VERDICTS
from .finding import Finding as Finding
from .finding import Verdict as Verdict
from .finding import worst as worst
from .look import look as look
from .machine import Machine as Machine
from .threads import check_blas as check_blas
