"""Countries as ISO 3166-1 alpha-2 codes, from codes and names as people write them.

Codes and English names follow ISO 3166-1; the other names are those that turn up in exports: each
country's name for itself where the customers of a shop are likely to write it, and old names.
"""

from __future__ import annotations

import functools
import re
import unicodedata
from collections.abc import Mapping
from typing import Final

# alpha-2 alpha-3 English name / other names
_TABLE: Final = """
AD AND Andorra; AE ARE United Arab Emirates/UAE/Emirates; AF AFG Afghanistan; AG ATG Antigua and Barbuda
AI AIA Anguilla; AL ALB Albania; AM ARM Armenia; AO AGO Angola; AQ ATA Antarctica; AR ARG Argentina
AS ASM American Samoa; AT AUT Austria/Österreich/Autriche; AU AUS Australia; AW ABW Aruba
AX ALA Åland Islands/Åland; AZ AZE Azerbaijan; BA BIH Bosnia and Herzegovina/Bosnia/Bosna i Hercegovina
BB BRB Barbados; BD BGD Bangladesh; BE BEL Belgium/België/Belgique/Belgien; BF BFA Burkina Faso
BG BGR Bulgaria/България; BH BHR Bahrain; BI BDI Burundi; BJ BEN Benin; BL BLM Saint Barthélemy
BM BMU Bermuda; BN BRN Brunei/Brunei Darussalam; BO BOL Bolivia/Plurinational State of Bolivia
BQ BES Bonaire, Sint Eustatius and Saba/Caribbean Netherlands/Bonaire; BR BRA Brazil/Brasil
BS BHS Bahamas/The Bahamas; BT BTN Bhutan; BV BVT Bouvet Island; BW BWA Botswana; BY BLR Belarus
BZ BLZ Belize; CA CAN Canada; CC CCK Cocos (Keeling) Islands
CD COD Democratic Republic of the Congo/DR Congo/DRC/Congo (Kinshasa); CF CAF Central African Republic
CG COG Congo/Republic of the Congo/Congo (Brazzaville)
CH CHE Switzerland/Schweiz/Suisse/Svizzera; CI CIV Côte d'Ivoire/Ivory Coast; CK COK Cook Islands
CL CHL Chile; CM CMR Cameroon/Cameroun; CN CHN China/People's Republic of China/PRC/中国; CO COL Colombia
CR CRI Costa Rica; CU CUB Cuba; CV CPV Cabo Verde/Cape Verde; CW CUW Curaçao; CX CXR Christmas Island
CY CYP Cyprus; CZ CZE Czechia/Czech Republic/Česko/Česká republika; DE DEU Germany/Deutschland/Allemagne
DJ DJI Djibouti; DK DNK Denmark/Danmark; DM DMA Dominica; DO DOM Dominican Republic; DZ DZA Algeria/Algérie
EC ECU Ecuador; EE EST Estonia/Eesti; EG EGY Egypt; EH ESH Western Sahara; ER ERI Eritrea
ES ESP Spain/España/Espagne/Spanien; ET ETH Ethiopia; FI FIN Finland/Suomi; FJ FJI Fiji
FK FLK Falkland Islands/Falkland Islands (Malvinas)
FM FSM Micronesia/Federated States of Micronesia; FO FRO Faroe Islands/Faeroe Islands
FR FRA France/Frankreich/Francia; GA GAB Gabon
GB GBR United Kingdom/UK/Great Britain/Britain/England/Scotland/Wales/Northern Ireland/United Kingdom of \
Great Britain and Northern Ireland/Großbritannien/Royaume-Uni
GD GRD Grenada; GE GEO Georgia; GF GUF French Guiana; GG GGY Guernsey; GH GHA Ghana; GI GIB Gibraltar
GL GRL Greenland; GM GMB Gambia/The Gambia; GN GIN Guinea; GP GLP Guadeloupe; GQ GNQ Equatorial Guinea
GR GRC Greece/Hellas/Ελλάδα/EL; GS SGS South Georgia and the South Sandwich Islands; GT GTM Guatemala
GU GUM Guam; GW GNB Guinea-Bissau; GY GUY Guyana; HK HKG Hong Kong/Hong Kong SAR
HM HMD Heard Island and McDonald Islands; HN HND Honduras; HR HRV Croatia/Hrvatska; HT HTI Haiti
HU HUN Hungary/Magyarország; ID IDN Indonesia; IE IRL Ireland/Éire/Republic of Ireland/EIRE; IL ISR Israel
IM IMN Isle of Man; IN IND India/Bharat; IO IOT British Indian Ocean Territory; IQ IRQ Iraq
IR IRN Iran/Islamic Republic of Iran; IS ISL Iceland/Ísland; IT ITA Italy/Italia/Italien/Italie; JE JEY Jersey
JM JAM Jamaica; JO JOR Jordan; JP JPN Japan/日本/Nippon; KE KEN Kenya; KG KGZ Kyrgyzstan; KH KHM Cambodia
KI KIR Kiribati; KM COM Comoros; KN KNA Saint Kitts and Nevis
KP PRK North Korea/Democratic People's Republic of Korea
KR KOR South Korea/Korea/Republic of Korea/대한민국/한국
KW KWT Kuwait; KY CYM Cayman Islands; KZ KAZ Kazakhstan; LA LAO Laos/Lao People's Democratic Republic
LB LBN Lebanon/Liban; LC LCA Saint Lucia; LI LIE Liechtenstein; LK LKA Sri Lanka
LR LBR Liberia; LS LSO Lesotho
LT LTU Lithuania/Lietuva; LU LUX Luxembourg/Luxemburg; LV LVA Latvia/Latvija; LY LBY Libya
MA MAR Morocco/Maroc
MC MCO Monaco; MD MDA Moldova/Republic of Moldova; ME MNE Montenegro/Crna Gora; MF MAF Saint Martin
MG MDG Madagascar; MH MHL Marshall Islands; MK MKD North Macedonia/Macedonia; ML MLI Mali
MM MMR Myanmar/Burma; MN MNG Mongolia; MO MAC Macao/Macau; MP MNP Northern Mariana Islands; MQ MTQ Martinique
MR MRT Mauritania; MS MSR Montserrat; MT MLT Malta; MU MUS Mauritius; MV MDV Maldives; MW MWI Malawi
MX MEX Mexico/México; MY MYS Malaysia; MZ MOZ Mozambique/Moçambique; NA NAM Namibia; NC NCL New Caledonia
NE NER Niger; NF NFK Norfolk Island; NG NGA Nigeria; NI NIC Nicaragua
NL NLD Netherlands/The Netherlands/Holland/Nederland/Niederlande/Pays-Bas; NO NOR Norway/Norge/Noreg
NP NPL Nepal; NR NRU Nauru; NU NIU Niue; NZ NZL New Zealand/Aotearoa; OM OMN Oman; PA PAN Panama/Panamá
PE PER Peru/Perú; PF PYF French Polynesia; PG PNG Papua New Guinea; PH PHL Philippines/Pilipinas
PK PAK Pakistan; PL POL Poland/Polska/Polen; PM SPM Saint Pierre and Miquelon
PN PCN Pitcairn/Pitcairn Islands
PR PRI Puerto Rico; PS PSE Palestine/State of Palestine/Palestinian Territory; PT PRT Portugal; PW PLW Palau
PY PRY Paraguay; QA QAT Qatar; RE REU Réunion; RO ROU Romania/România/ROM; RS SRB Serbia/Srbija/Србија
RU RUS Russia/Russian Federation/Россия; RW RWA Rwanda; SA SAU Saudi Arabia/KSA; SB SLB Solomon Islands
SC SYC Seychelles; SD SDN Sudan; SE SWE Sweden/Sverige/Schweden; SG SGP Singapore
SH SHN Saint Helena/Saint Helena, Ascension and Tristan da Cunha; SI SVN Slovenia/Slovenija
SJ SJM Svalbard and Jan Mayen; SK SVK Slovakia/Slovensko/Slovak Republic; SL SLE Sierra Leone
SM SMR San Marino; SN SEN Senegal/Sénégal; SO SOM Somalia; SR SUR Suriname; SS SSD South Sudan
ST STP São Tomé and Príncipe; SV SLV El Salvador; SX SXM Sint Maarten; SY SYR Syria/Syrian Arab Republic
SZ SWZ Eswatini/Swaziland; TC TCA Turks and Caicos Islands; TD TCD Chad; TF ATF French Southern Territories
TG TGO Togo; TH THA Thailand/ประเทศไทย; TJ TJK Tajikistan; TK TKL Tokelau; TL TLS Timor-Leste/East Timor
TM TKM Turkmenistan; TN TUN Tunisia/Tunisie; TO TON Tonga; TR TUR Türkiye/Turkey; TT TTO Trinidad and Tobago
TV TUV Tuvalu; TW TWN Taiwan/台灣/臺灣; TZ TZA Tanzania/United Republic of Tanzania; UA UKR Ukraine/Україна
UG UGA Uganda; UM UMI United States Minor Outlying Islands
US USA United States/United States of America/U.S./U.S.A./America/Estados Unidos/États-Unis
UY URY Uruguay; UZ UZB Uzbekistan; VA VAT Vatican City/Holy See; VC VCT Saint Vincent and the Grenadines
VE VEN Venezuela/Bolivarian Republic of Venezuela; VG VGB British Virgin Islands
VI VIR U.S. Virgin Islands/Virgin Islands; VN VNM Vietnam/Viet Nam/Việt Nam; VU VUT Vanuatu
WF WLF Wallis and Futuna; WS WSM Samoa; XK XKX Kosovo; YE YEM Yemen; YT MYT Mayotte
ZA ZAF South Africa/Suid-Afrika; ZM ZMB Zambia; ZW ZWE Zimbabwe
"""

_DROPPED = re.compile("['\u2019.]")
_NOT_A_LETTER = re.compile(r"[\W_]+")


def _folded(text: str) -> str:
    """Return the letters of ``text`` without case, accents and punctuation; "and" and "&" are left out."""
    plain = unicodedata.normalize("NFKD", text).casefold()
    plain = "".join(c for c in plain if not unicodedata.combining(c))
    words = _NOT_A_LETTER.sub(" ", _DROPPED.sub("", plain)).split()
    return " ".join("saint" if w == "st" else w for w in words if w not in {"and", "the"})


@functools.cache
def _entries() -> tuple[tuple[str, str, tuple[str, ...]], ...]:
    cells = (cell.strip() for cell in _TABLE.replace("\n", ";").split(";"))
    split = (cell.split(" ", 2) for cell in cells if cell)
    return tuple((two, three, tuple(names.split("/"))) for two, three, names in split)


@functools.cache
def _by_key() -> Mapping[str, str]:
    return {_folded(key): two for two, three, names in _entries() for key in (two, three, *names)}


@functools.cache
def country_names() -> Mapping[str, str]:
    """Return the English name of each country by its alpha-2 code."""
    return {two: names[0] for two, _, names in _entries()}


@functools.lru_cache(maxsize=65_536)
def country(value: str | None) -> str | None:
    """Return the ISO 3166-1 alpha-2 code of a country code or name, or None where none is known.

    >>> country("United Kingdom"), country("GBR"), country(" gb "), country("Deutschland")
    ('GB', 'GB', 'GB', 'DE')
    >>> country("Atlantis") is None
    True
    """
    return _by_key().get(_folded(value)) if value else None
