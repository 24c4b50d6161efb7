"""What the name of a column says of its meaning: headers of exports in seven languages."""

from __future__ import annotations

import re
from dataclasses import dataclass

from identity.normalise.text import fold

NAMES: dict[str, str] = {
    "full_name": "full name|fullname|name|customer name|person name|display name|contact name|contactname|patient name|"
    "name full|contact|client name|member name|voter name|owner name|employee name|user name full|"
    "applicant name|holder name|account holder|cardholder|donor name|nombre completo|nom complet|nom prenom|"
    "name vorname|vor und nachname|kundenname|ansprechpartner|nome completo|volledige naam|naam|"
    "legal name full|complete name|names|recipient|who",
    "given_name": "given name|givenname|given names|first name|firstname|fname|f name|forename|forenames|first|"
    "given|name first|vorname|vornamen|rufname|prenom|prenoms|christian name|nombre|nombres|nome|primeiro nome|"
    "voornaam|first nm|fst name|preferred name|firstnm",
    "middle_name": "middle name|middlename|mname|m name|middle|middle initial|name middle|midl name|mi|"
    "second name|middle names|segundo nombre|zweiter vorname|deuxieme prenom|additional name|mid name|minit",
    "surname": "surname|sur name|last name|lastname|lname|l name|family name|familyname|last|sname|name last|"
    "nachname|familienname|zuname|nom|nom de famille|nom usage|family|apellido|apellidos|primer apellido|"
    "cognome|sobrenome|apelido|achternaam|last nm|lst name|lastnm",
    "second_surname": "segundo apellido|second surname|apellido materno|apellido 2|segundo sobrenome|2nd surname",
    "title": "title|salutation|name prefix|prefix|honorific|name prefx cd|anrede|titel|civilite|tratamiento|"
    "aanhef|courtesy title",
    "suffix": "suffix|name suffix|namesufix|namesuffix|generation|name sufx cd|generational suffix|name sfx|"
    "suffix cd|name suffix lbl",
    "gender": "gender|sex|gender code|sex code|geschlecht|sexe|sexo|sesso|geslacht|genero|genre",
    "birth_date": "birth date|birthdate|dob|d o b|date of birth|birthday|born|birth dt|date birth|geburtsdatum|"
    "geb datum|gebdat|geboren|geb|date de naissance|naissance|ne le|fecha de nacimiento|fecha nacimiento|"
    "f nacimiento|nacimiento|data di nascita|data nascita|data de nascimento|data nascimento|geboortedatum|"
    "birth|bday|brthdt|birth date full",
    "birth_year": "birth year|birthyear|yob|year of birth|year born|yr of birth|byear|geburtsjahr|annee naissance|"
    "annee de naissance|ano nacimiento|anno di nascita|geboortejaar|dob year|birth yr|by",
    "birth_month": "birth month|birthmonth|month of birth|bmonth|geburtsmonat|mois naissance|mes nacimiento|"
    "dob month|birth mo|bm",
    "birth_day": "birth day|day of birth|bday of month|geburtstag|jour naissance|dia nacimiento|dob day|bd",
    "email": "email|e mail|mail|email address|emailaddress|e mail address|mail address|email 1|email 2|"
    "work email|personal email|courriel|correo|correo electronico|mail adresse|e mail adresse|posta elettronica|"
    "adresse mail|adresse email|emailadresse|email addr",
    "phone": "phone|telephone|tel|mobile|cell|phone number|phonenumber|telephone number|mobile phone|cell phone|"
    "home phone|work phone|phone 1|phone 2|fax|fax number|mobile number|landline|msisdn|full phone|full phone number|"
    "full phone num|phone num|phone no|tel no|telephone no|contact number|contact no|contact phone|contact tel|"
    "daytime phone|evening phone|cell number|mobilephone|whatsapp|whatsapp number|telefon|telefonnummer|telefonnr|handy|"
    "handynummer|mobil|mobilnummer|mobiltelefon|festnetz|rufnummer|portable|telefono|telefono movil|movil|celular|"
    "cellulare|telefone|telemovel|telefoon|telefoonnummer|mobiel|phn|ph no|ph|mob|mob no",
    "street": "street|address|address 1|address1|street address|address line 1|addr|addr1|address line1|addr 1|"
    "address full|full address|res street address|mail addr1|strasse|strasse hausnummer|strasse und hausnummer|"
    "strasse nr|anschrift|adresse|mailing address|postal address|street name|home address|addressline1|"
    "address line|line 1|line1|street 1|street line 1|rue|adresse postale|direccion|domicilio|calle|indirizzo|via|"
    "endereco|morada|rua|straat|straatnaam|adres|voie|residence address|residential address|addr line 1|addr full|"
    "location address|physical address|street addr|st address",
    "street_number": "street number|house number|house no|street no|number|street num|house num|hausnummer|"
    "hausnr|haus nr|numero|numero civico|civico|numero rue|huisnummer|no|num|street nbr|house nbr|strnr",
    "city": "city|town|suburb|locality|municipality|res city desc|city name|place|ort|stadt|wohnort|ville|commune|"
    "ciudad|poblacion|localidad|municipio|citta|comune|cidade|localidade|woonplaats|plaats|gemeente|city desc|"
    "city town|town city|post town|posttown|city of residence",
    "region": "region|state|province|county|state code|state name|st|county desc|state cd|bundesland|department|"
    "departement|provincia|comunidad|estado|regione|distrito|provincie|kanton|canton|state province|province state|"
    "county name|res state|state region|prov",
    "postcode": "postcode|zip|zipcode|zip code|postal code|postalcode|post code|plz|postleitzahl|zip5|zip 5|pc|"
    "code postal|cp|codigo postal|cap|codice postale|cep|codigo postal cp|postal|zip postal code|zip postal|"
    "zip plus4|postcodes|pcode|pin code|pincode|eircode",
    "country": "country|country code|nation|country name|land|pays|pais|paese|country cd|country iso|staat",
    "company": "company|organisation|organization|org name|org|company name|business name|organisation name|"
    "organization name|business|firm|firm name|account name|legal name|trade name|dba|dba name|doing business as|"
    "org name 2|firma|firmenname|unternehmen|institution|institution name|facility name|facility|site name|"
    "store name|shop name|merchant|merchant name|vendor|vendor name|supplier|supplier name|venue|venue name|"
    "agency|agency name|branch name|restaurant|restaurant name|hotel name|school|school name|hospital|"
    "hospital name|clinic name|provider name|dealer name|entity name|societe|raison sociale|entreprise|empresa|"
    "razon social|azienda|ragione sociale|societa|razao social|bedrijf|bedrijfsnaam|name of organization|"
    "name of business|establishment|establishment name|outlet name|charity name|employer name company|"
    "corporate name|company legal name",
    "record_type": "record type|entity type|party type|customer type|contact type|client type|person type|"
    "type of entity|kundenart|account type",
    "national_id": "national id|national identifier|soc sec id|id number|soc sec|social security|"
    "social security number|personal number|dni|nif|nie|cif|curp|rfc|cpf|cnpj|bsn|codice fiscale|"
    "sozialversicherungsnummer|steuernummer|ustid|siren|siret|insee|ein|fein|national insurance number|ni number|"
    "medicare|medicare number|aadhaar|pesel|personnummer|cedula",
    "occupation": "occupation|job|profession|job title|beruf|metier|profesion|position",
    "source": "source|data source|source system|system|dataset|origin|origen|quelle|file|source file|source name",
    "record_id": "record id|id|record key|rec id|row id|unique id|uid|recid|record no|identifier|key|ncid|rowid|"
    "index|row number|row|guid|uuid|lfd nr",
}
BY_NAME = {phrase: role for role, phrases in NAMES.items() for phrase in phrases.split("|")}
_IDENTIFIER_WORDS = {
    "ssn": "national_id",
    "passport": "national_id",
    "license": "national_id",
    "licence": "national_id",
    "taxid": "national_id",
    "tin": "national_id",
    "nin": "national_id",
    "nhs": "national_id",
    "lei": "external_id",
    "vat": "national_id",
    "duns": "external_id",
    "npi": "external_id",
    "loyalty": "external_id",
    "membership": "external_id",
    "member": "external_id",
    "account": "external_id",
    "customer": "external_id",
    "kundennummer": "external_id",
    "mrn": "external_id",
    "policy": "external_id",
    "tax": "national_id",
    "handle": "handle",
    "twitter": "handle",
    "instagram": "handle",
    "facebook": "handle",
    "linkedin": "handle",
    "social": "handle",
    "username": "handle",
    "login": "handle",
    "cookie": "anonymous_id",
    "anonymous": "anonymous_id",
    "device": "device",
}
# Words before a header that only say whose or which: "billing city", "property_firstname", "kunde_plz".
_WHOSE = frozenset(
    "billing mailing shipping delivery home primary secondary main current contact customer client person patient "
    "user voter donor applicant buyer recipient sender borrower insured subscriber residential residence res legal "
    "property properties hs cust cst clnt reg registered physical permanent business work kunde kunden client "
    "other personal default invoice correspondence postal site location cbit sf raw clean std standardized "
    "original orig input my the your mailing2 business2".split()
)
_AMBIGUOUS = frozenset(
    "name first last number st id key place title mi no num cap via nom nome by bm bd pc cp cif ein land file row "
    "index position file job ort geb mail contact line1 who names given middle org agency school facility line "
    "ph job system account".split()
)
# Headers that may stand over names of people and of organisations alike.
NAME_HEADERS = frozenset(
    "name|names|contact|display name|naam|nom|nome|nombre|client name|customer name|contact name|account holder|"
    "recipient|who|donor name|full name|name full|owner name|legal name full|entity name".split("|")
)
_SPLIT = re.compile(r"[^a-z0-9\u0080-\U0010ffff]+|(?<=[a-z])(?=\d)")
_CAMEL = re.compile(r"(?<=[a-z0-9])(?=[A-Z])")


@dataclass(frozen=True)
class Role:
    """Meaning of one column. ``role`` is a record role, ``identifier``, ``text`` or ``ignored``."""

    role: str
    identifier: str = ""
    why: str = ""


def header_words(name: str) -> str:
    """The words of a header, folded: no accents, no case, camel case split.

    >>> header_words("Código_Postal"), header_words("firstName2")
    ('codigo postal', 'first name 2')
    """
    return " ".join(part for part in _SPLIT.split(fold(_CAMEL.sub(" ", name.strip()))) if part)


def is_header(name: str) -> bool:
    """Whether a text is the name of a column as a whole, not only by a word that is in it.

    >>> is_header("Kunde PLZ"), is_header("customer no"), is_header("12 Moss Street"), is_header("Ada Byron")
    (True, True, False, False)
    """
    phrase = header_words(name)
    parts = phrase.split()
    of_identifiers = [part in _IDENTIFIER_WORDS for part in parts]
    told = any(of_identifiers) and all(
        part in _OF_AN_ID or known for part, known in zip(parts, of_identifiers, strict=True)
    )
    return told or any(form in BY_NAME or re.sub(r" ?\d+$", "", form) in BY_NAME for form in _shorter(phrase))


_OF_AN_ID = frozenset("id ids no nr num number key code".split())


def tells_of_an_event(name: str) -> bool:
    """Whether a header is that of a time at which something happened to a record.

    >>> tells_of_an_event("converted_date"), tells_of_an_event("_fivetran_synced"), tells_of_an_event("x17")
    (True, True, False)
    """
    return not _EVENTS.isdisjoint(header_words(name).split())


_EVENTS = frozenset(
    "date dt time timestamp at on since until synced created createdate updated modified changed converted joined "
    "registered registration signup last start end valid expires due closed order purchase".split()
)


def by_name(name: str) -> Role | None:
    """Read a column's meaning from its name alone.

    >>> by_name("firstName").role, by_name("e-mail_address").role, by_name("loyalty_id").identifier
    ('given_name', 'email', 'external_id')
    >>> by_name("billing_postal_code").role, by_name("Straße").role, by_name("Fecha de nacimiento").role
    ('postcode', 'street', 'birth_date')
    """
    phrase = header_words(name)
    for candidate in _shorter(phrase):
        for form in (candidate, candidate.replace(" ", ""), re.sub(r" ?\d+$", "", candidate)):
            if form in BY_NAME and (candidate == phrase or form not in _AMBIGUOUS or form == "name"):
                role = BY_NAME[form]
                if candidate == phrase or role not in ("record_id", "source", "record_type"):
                    return Role(role, why="name")
    parts = phrase.split()
    if parts and (parts[0] in _QUESTIONS or parts[-1] in _NOT_A_VALUE - {"id", "ids"}):
        return None
    for word in parts:
        if word in _IDENTIFIER_WORDS:
            return Role("identifier", _IDENTIFIER_WORDS[word], "name")
    return _by_piece(parts)


def _shorter(phrase: str) -> list[str]:
    """The phrase, and the phrase without the words that only say whose it is."""
    found, parts = [phrase], phrase.split()
    while len(parts) > 1 and parts[0] in _WHOSE:
        parts = parts[1:]
        found.append(" ".join(parts))
    return found


def _by_piece(parts: list[str]) -> Role | None:
    if not parts or parts[-1] in _NOT_A_VALUE or not _OTHER_THINGS.isdisjoint(parts):
        return None
    for length in (3, 2, 1):
        for place in range(len(parts) - length, -1, -1):
            piece = " ".join(parts[place : place + length])
            if piece in BY_NAME and piece not in _AMBIGUOUS:
                role = BY_NAME[piece]
                if role not in ("source", "record_id", "street_number", "record_type"):
                    return Role(role, why="name")
    return None


_QUESTIONS = frozenset("is has had was can no not".split())
_OTHER_THINGS = frozenset(
    "ip mac web url image photo age bank card file place created updated modified".split()
)
# Last words of headers that tell of a field, but are not its value: "email opt in", "phone type", "city id".
_NOT_A_VALUE = frozenset(
    "id ids type status flag opt optin optout in out date time reason count score rank verified valid validity "
    "consent bounced bounce source preference preferences template subject format length lat lon latitude "
    "longitude accuracy synced url link domain hash is at on by option program description available fund".split()
)
