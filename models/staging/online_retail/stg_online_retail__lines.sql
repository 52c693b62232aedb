with raw_lines as (

    select * from {{ ref('stg_online_retail__raw_lines') }}

),

named_lines as (

    select
        raw_lines.*,
        nullif(upper(trim(invoice_no)), '') as invoice_id,
        -- The same product is written 85123a and 85123A.
        nullif(upper(trim(stock_code)), '') as product_id,
        nullif(trim(description), '') as product_name,
        cast(try_cast(trim(quantity) as decimal(18, 4)) as decimal(19, 4)) as piece_count,
        {{ utc_timestamp(parse_local_timestamp('trim(invoice_date)'), 'Europe/London') }}
            as invoiced_at,
        {{ parse_amount('unit_price') }} as unit_price_amount,
        -- Exports of data frames write the customer as 17850.0.
        nullif({{ text_replace_all('trim(customer_id)', '[.]0+$', '') }}, '') as customer_number,
        nullif(trim(country), '') as country_name
    from raw_lines

),

-- The source numbers no lines and its order is not kept in every format: the number follows the
-- content, so that the same lines get the same numbers from any file. Equal lines are
-- interchangeable.
numbered_lines as (

    select
        *,
        row_number() over (
            partition by invoice_id, source_part
            order by
                product_id nulls first,
                invoiced_at nulls first,
                piece_count nulls first,
                unit_price_amount nulls first,
                product_name nulls first,
                customer_number nulls first,
                country_name nulls first
        ) as line_number,
        -- Two sheets or files may both hold an invoice (the sheets of Online Retail II overlap by
        -- nine days): the last one counts.
        max(source_part) over (partition by invoice_id) as last_source_part
    from named_lines

),

judged_lines as (

    select
        *,
        -- A cancellation is an invoice of its own that begins with C.
        coalesce(invoice_id like 'C%', false) as is_return,
        case
            when invoice_id is null or product_id is null then 'missing_key'
            when source_part <> last_source_part then 'superseded_row'
            when invoiced_at is null then 'impossible_date'
            when
                piece_count is null
                or piece_count <> floor(piece_count)
                or unit_price_amount is null
                then 'not_a_number'
            when invoice_id like 'A%' then 'bad_debt_adjustment'
            when unit_price_amount < 0 then 'negative_price'
            when invoice_id like 'C%' and piece_count >= 0 then 'cancellation_without_return'
            when invoice_id not like 'C%' and piece_count <= 0 then 'stock_correction'
            when unit_price_amount = 0 then 'zero_price'
            when {{ amount_too_large(['piece_count * unit_price_amount']) }}
                then 'impossible_amount'
        end as rejection_reason
    from numbered_lines

),

lines as (

    select
        case
            when rejection_reason in ('missing_key', 'superseded_row')
                then {{ hash_text(['source_part', 'raw_row_number']) }}
            else invoice_id || '-' || cast(line_number as string)
        end as line_id,
        invoice_id,
        cast(line_number as integer) as line_number,
        is_return,
        product_id,
        product_name,
        cast(piece_count as bigint) as quantity,
        unit_price_amount,
        try_cast(piece_count * unit_price_amount as decimal(18, 4)) as line_amount,
        invoiced_at,
        customer_number as customer_id,
        country_name,
        rejection_reason,
        case
            when rejection_reason is not null then {{ row_as_json([
                'invoice_no', 'stock_code', 'description', 'quantity', 'invoice_date',
                'unit_price', 'customer_id', 'country', 'source_part',
            ]) }}
        end as source_row
    from judged_lines

)

select * from lines
