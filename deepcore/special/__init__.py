"""Special functions, under the names that SciPy gives them, on every array library and with derivatives."""

from ..ops.activation import sigmoid
from .bessel_functions import i0 as i0
from .bessel_functions import i0e as i0e
from .bessel_functions import i1 as i1
from .bessel_functions import i1e as i1e
from .bessel_functions import k0 as k0
from .bessel_functions import k0e as k0e
from .bessel_functions import k1 as k1
from .bessel_functions import k1e as k1e
from .elementary import cosm1 as cosm1
from .elementary import exprel as exprel
from .elementary import huber as huber
from .elementary import pseudo_huber as pseudo_huber
from .elementary import sinc as sinc
from .error_functions import erf as erf
from .error_functions import erfc as erfc
from .error_functions import erfcinv as erfcinv
from .error_functions import erfcx as erfcx
from .error_functions import erfinv as erfinv
from .error_functions import log_ndtr as log_ndtr
from .error_functions import ndtr as ndtr
from .error_functions import ndtri as ndtri
from .gamma_functions import beta as beta
from .gamma_functions import betaln as betaln
from .gamma_functions import gamma as gamma
from .gamma_functions import gammaln as gammaln
from .gamma_functions import multigammaln as multigammaln
from .incomplete_functions import betainc as betainc
from .incomplete_functions import gammainc as gammainc
from .incomplete_functions import gammaincc as gammaincc
from .information import entr as entr
from .information import kl_div as kl_div
from .information import rel_entr as rel_entr
from .information import xlog1py as xlog1py
from .information import xlogy as xlogy
from .log_domain import log_expit as log_expit
from .log_domain import log_softmax as log_softmax
from .log_domain import logit as logit
from .log_domain import logsumexp as logsumexp
from .log_domain import softmax as softmax
from .polygamma_functions import digamma as digamma
from .polygamma_functions import polygamma as polygamma
from .polygamma_functions import zeta as zeta
from .power_transforms import boxcox as boxcox
from .power_transforms import boxcox1p as boxcox1p
from .power_transforms import inv_boxcox as inv_boxcox
from .power_transforms import inv_boxcox1p as inv_boxcox1p

expit = sigmoid
psi = digamma
